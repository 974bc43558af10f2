"""The types of the API's replies for the pages and the client, from its OpenAPI document.

`python -m docs.generators.types` writes both files.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.generators.openapi import render_openapi

PAGES = "web/types.js"
CLIENT = "place_search_client/replies.py"

CLIENT_NAMES: Mapping[str, str] = {
    "PositionReply": "PointOnEarth",
    "UtmReply": "UtmPoint",
    "MatchReply": "Match",
    "LocationReply": "Location",
    "VerifiedReply": "Verified",
    "PlaceReply": "PlaceInfo",
    "SpotReply": "Spot",
    "PlaceDetailsReply": "PlaceDetails",
    "ListedPlaceReply": "ListedPlace",
    "PlacesReply": "PlacesPage",
    "GroupReply": "Group",
    "GroupsReply": "GroupsPage",
    "PlaceGroupReply": "PlaceGroup",
    "AddedPlaceReply": "AddedPlace",
    "AddedPhotoReply": "AddedPhoto",
    "AddedPhotosReply": "AddedPhotos",
    "ServedIndexReply": "ServedIndex",
    "IndexesReply": "IndexList",
    "ViewReply": "Facing",
    "ResultReply": "Result",
    "QueryReply": "QueryInfo",
    "SearchReply": "SearchResult",
    "SimilarReply": "SimilarPlaces",
    "SkippedPhotoReply": "SkippedPhoto",
    "SkippedReply": "Skipped",
    "IndexReply": "IndexInfo",
    "ModelReply": "ModelInfo",
    "SizeReply": "Size",
    "GridReply": "Grid",
    "ExplainReply": "Explanation",
    "LocatedFrameReply": "LocatedFrame",
    "CompareReply": "Comparison",
    "TrackReply": "TrackInfo",
    "TrackPathReply": "TrackPath",
    "TrackedFrameReply": "TrackedFrame",
}
"""The client's names of the replies that it reads, each after the replies that it contains."""
_BASES = ("PlaceDetailsReply", "PlaceReply", "TrackReply")
"""Base classes of replies, each before its own base."""
_PYTHON = {"string": "str", "number": "float", "integer": "int", "boolean": "bool", "null": "None"}
_JAVASCRIPT = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
_TIMINGS = "TimingsReply"
"""A mapping of milliseconds in the client, since a newer server may have more stages."""


def render_pages() -> str:
    """web/types.js: a type for each reply, in JSDoc."""
    lines = [
        "// The replies of the HTTP API, from docs/openapi.json; written by",
        "// `python -m docs.generators.types`.",
    ]
    for name, schema in _replies().items():
        lines += ["", "/**", f" * @typedef {{object}} {name} {_sentence(schema)}".rstrip()]
        needed = schema.get("required", ())
        for field, kind in schema["properties"].items():
            label = field if field in needed else f"[{field}]"
            lines.append(
                f" * @property {{{_javascript_union(kind)}}} {label} {_sentence(kind)}".rstrip()
            )
        lines.append(" */")
    return "\n".join([*lines, "", "export {};", ""])


def render_client() -> str:
    """place_search_client/replies.py: a frozen dataclass for each reply that the client reads."""
    schemas = _replies()
    parts = [
        '"""Replies of the server. Fields that a newer server adds are left out.\n\n'
        "From docs/openapi.json; written by\n"
        "`python -m docs.generators.types`.\n"
        '"""\n\nfrom collections.abc import Mapping\nfrom dataclasses import dataclass, field\n'
        "from typing import Literal\n"
    ]
    for name, class_name in CLIENT_NAMES.items():
        fields = dict(schemas[name]["properties"])
        base = ""
        for base_name in _BASES:
            shared = schemas[base_name]["properties"]
            if name != base_name and shared.keys() <= fields.keys():
                base = f"({CLIENT_NAMES[base_name]})"
                fields = {field: kind for field, kind in fields.items() if field not in shared}
                break
        needed = schemas[name].get("required", ())
        lines = [
            f"    {field}: {_python_union(kind)}{'' if field in needed else _default(kind)}"
            # Fields with a default come last, as a dataclass wants them.
            for field, kind in sorted(fields.items(), key=lambda item: item[0] not in needed)
            # Codes are for pages in other languages; the client has the sentences.
            if "ReasonReply" not in json.dumps(kind)
        ]
        parts.append(
            f"\n@dataclass(frozen=True, slots=True)\nclass {class_name}{base}:\n"
            f'    """{schemas[name]["description"]}"""\n\n' + "\n".join(lines) + "\n"
        )
    return "\n".join(parts)


def _replies() -> dict[str, dict[str, Any]]:
    schemas = json.loads(render_openapi())["components"]["schemas"]
    return {name: schema for name, schema in schemas.items() if not name.startswith("Body_")}


def _sentence(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", "")).rstrip(".")


def _alternatives(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from schema.get("anyOf", [schema])


def _python_union(schema: Mapping[str, Any]) -> str:
    return " | ".join(map(_python_type, _alternatives(schema)))


def _python_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "Mapping[str, float]" if name == _TIMINGS else CLIENT_NAMES[name]
    if schema["type"] == "array":
        return f"list[{_python_union(schema['items'])}]"
    if schema["type"] == "object":
        return f"Mapping[str, {_python_union(schema['additionalProperties'])}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(json.dumps, schema['enum']))}]"
    return _PYTHON[schema["type"]]


def _default(schema: Mapping[str, Any]) -> str:
    """The default of a field, for an older server that does not send it."""
    kind = {"array": "list", "object": "dict"}.get(schema.get("type", ""))
    default = schema.get("default")
    literal = json.dumps(default) if isinstance(default, str) else repr(default)
    return f" = {literal}" if kind is None else f" = field(default_factory={kind})"


def _javascript_union(schema: Mapping[str, Any]) -> str:
    return " | ".join(map(_javascript_type, _alternatives(schema)))


def _javascript_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " | ".join(f"'{value}'" for value in schema["enum"])
    kind = schema["type"]
    if "prefixItems" in schema:
        return f"[{', '.join(map(_javascript_union, schema['prefixItems']))}]"
    if kind == "array":
        inner = _javascript_union(schema["items"])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if kind == "object":
        return f"Record<string, {_javascript_union(schema['additionalProperties'])}>"
    return _JAVASCRIPT.get(kind, "null")


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    (root / PAGES).write_text(render_pages(), "utf-8")
    (root / CLIENT).write_text(render_client(), "utf-8")
