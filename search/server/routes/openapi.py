"""The API's document: FastAPI's schema, with the server's problems, keys and examples."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute, Route

from place_search.search.server.content.place_schemas import GroupPatch, PlacePatch
from place_search.search.server.content.schemas import DotsReply, PlaceReply
from place_search.search.server.problems import (
    BODY_TOO_LARGE,
    BUSY,
    CROSS_SITE,
    FORBIDDEN,
    RATE_LIMITED,
    SLOW_REQUEST,
    UNAUTHORIZED,
    WRONG_HOST,
    Problem,
    ProblemReply,
    documented,
)
from place_search.search.server.roles import access_of, is_counted

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def openapi_of(app: FastAPI, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of an application with these routes, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = schema["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        for model in (DotsReply, GroupPatch, PlacePatch, PlaceReply, ProblemReply):
            model_schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(model_schema.pop("$defs", {}))
            schemas[model.__name__] = model_schema
        _describe_forms(schemas)
        schema["components"]["securitySchemes"] = _SECURITY
        own = [route for route in routes if isinstance(route, Route)]
        closed = {route.path for route in own if access_of(route) != "open"}
        counted = {
            (route.path, method.lower())
            for route in own
            for method in route.methods or ()
            if is_counted(route)
        }
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                # Any request may meet too many connections; a route that says more of it is right.
                general = [WRONG_HOST, BUSY]
                if method not in ("get", "head"):
                    general += [SLOW_REQUEST, BODY_TOO_LARGE]
                operation["responses"] = _documented(*general) | operation["responses"]
                if path in closed:
                    operation["security"] = [{}, *({name: []} for name in _SECURITY)]
                    operation["responses"] |= _documented(UNAUTHORIZED)
                if (path, method) in counted:
                    operation["responses"] |= _documented(BUSY, RATE_LIMITED)
                if method not in ("get", "head"):
                    forbidden = [FORBIDDEN] if "403" in operation["responses"] else []
                    operation["responses"] |= _documented(*forbidden, CROSS_SITE)
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
                _add_examples(operation["responses"])
        app.openapi_schema = schema
    return app.openapi_schema


def _describe_forms(schemas: dict[str, Any]) -> None:
    """Say that forms take no other fields, and which are files, as makers of clients know these."""
    for name, form in schemas.items():
        if name.startswith("Body_"):
            form["additionalProperties"] = False
            for field in form["properties"].values():
                content = field.get("items", field)
                if "contentMediaType" in content:
                    content["format"] = "binary"


def _documented(*problems: Problem) -> dict[str, Any]:
    return {str(status): about for status, about in documented(*problems).items()}


def _add_examples(responses: dict[str, Any]) -> None:
    """Add answers of a demo server as examples; long lists are cut short."""
    folder = files("place_search.search.server.content")
    examples = json.loads(folder.joinpath("examples.json").read_text("utf-8"))
    for response in responses.values():
        for content in response.get("content", {}).values():
            schema = content.get("schema", {})
            example = examples.get(schema.get("items", schema).get("$ref", "").rpartition("/")[2])
            if example is not None:
                content["example"] = [example] if "items" in schema else example
