"""The fields of a request: an unknown field, or a field sent twice, is an error."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from fastapi import Depends, Query, Request, UploadFile
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator
from starlette.exceptions import HTTPException

from place_search.core.tables import number_problem
from place_search.core.text import parse_json
from place_search.indexer import Filter, Index, parse_filter
from place_search.search.errors import ParameterError

FIELD_PROBLEM = "field"
"""The type of the validation errors raised here; their messages need no more."""
TWICE = "send it once, not twice"
MAX_WRONG_FIELDS = 100
"""The largest number of wrong fields that an answer names: there may be thousands."""
MAX_JSON_BYTES = 1 << 20
"""The largest JSON body: read, one takes up to sixty times as much memory."""
_EMPTY_BODIES = (b"", b"{}", b"null")
"""Bodies without a field: some clients send JSON with every request."""


async def check_fields(request: Request) -> None:
    """Refuse a request with fields that would be ignored, or numbers that are not plain digits.

    Raises:
        RequestValidationError: a field of the query or form is unknown, repeated or such a number.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)  # noqa: S101 - those of the API only depend on this
    dependant = route.dependant
    wrong = _wrong_fields(request.query_params.multi_items(), _query_fields(dependant))
    if dependant.body_params:
        form = await request.form()  # FastAPI has read it already
        wrong += _wrong_fields(form.multi_items(), dependant.body_params)
    elif not route.openapi_extra and b"".join((await request.body()).split()) not in _EMPTY_BODIES:
        wrong.append(("body", "this address takes none; send the request without it"))
    _refuse(wrong)


def _refuse(wrong: Sequence[tuple[str, str]]) -> None:
    """Raise `RequestValidationError` for fields with a name and a problem, if there are any."""
    if wrong:
        raise RequestValidationError(
            [
                {"type": FIELD_PROBLEM, "loc": ("request", name), "msg": problem, "input": None}
                for name, problem in wrong[:MAX_WRONG_FIELDS]
            ]
        )


CHECKED_FIELDS = Depends(check_fields)


def _place_id(text: str) -> str:
    """The text of a place id in plain digits: pydantic takes "1.0" and "1_0" for whole numbers."""
    if re.fullmatch("0|-?[1-9][0-9]*", text):
        return text
    raise ValueError("place ids are whole numbers")


PlaceId = Annotated[int, BeforeValidator(_place_id)]

Box = Annotated[
    str | None,
    Query(
        description="Only this part of the photo: x,y,width,height in pixels, of the upright photo "
        "as sent.",
        examples=["120,80,400,300"],
    ),
]

Near = Annotated[
    str | None,
    Query(
        description="Only places near this latitude,longitude; needs radius_m.",
        examples=["48.137,11.575"],
    ),
]
RadiusM = Annotated[
    float | None, Query(gt=0, allow_inf_nan=False, description="Metres around near.")
]
Folder = Annotated[
    str | None, Query(description="Only places with photos in this folder or below it.")
]
TakenFrom = Annotated[
    str | None, Query(description="Only photos taken on this day or later: ISO 8601, UTC.")
]
TakenTo = Annotated[
    str | None, Query(description="Only photos taken on this day or earlier: ISO 8601, UTC.")
]
Tags = Annotated[
    list[str], Query(default_factory=list, description="Only places with this tag; repeatable.")
]
Fields = Annotated[
    list[str],
    Query(
        default_factory=list,
        description="Only places with such an own field: name:comparison:value with eq, lt, le, gt "
        "or ge; repeatable.",
        examples=[["floor:ge:3"]],
    ),
]


@dataclass(frozen=True, slots=True)
class FilterParameters:
    """The filter of places that an address's query gives; see `Filter`."""

    tag: Tags
    field: Fields
    folder: Folder = None
    taken_from: TakenFrom = None
    taken_to: TakenTo = None

    def of(self, index: Index, *, q: str | None = None) -> Filter:
        """The filter of the places of an index, which declares its own fields.

        Raises:
            FilterError: a text that is no date, no condition, or of no such field.
        """
        return parse_filter(
            index.edits,
            folder=self.folder,
            taken_from=self.taken_from,
            taken_to=self.taken_to,
            tag=self.tag,
            field=self.field,
            q=q,
        )


FilterFields = Annotated[FilterParameters, Depends()]


async def photo_in(field: str, upload: UploadFile) -> bytes:
    """The bytes of the photo in a field. Raises `ParameterError` where there are none."""
    if content := await upload.read():
        return content
    raise ParameterError(f"The field {field} holds no bytes; send a photo in it.", field)


async def json_object(request: Request, model: type[BaseModel], example: str) -> dict[str, Any]:
    """The JSON object of a body; only the names of its fields are checked against the model.

    Raises:
        HTTPException: the body has more than `MAX_JSON_BYTES`.
        ParameterError: the body is no JSON object; the sentence shows the `example`.
        RequestValidationError: a field is unknown, or repeated at any depth.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        return dict(pairs)

    body = await request.body()
    if len(body) > MAX_JSON_BYTES:
        raise HTTPException(
            413,
            f"The JSON is larger than {MAX_JSON_BYTES >> 20} MiB, the server's limit; send less.",
        )
    try:
        sent: Any = parse_json(body, pairs=once)
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise ParameterError(f"The body is no JSON object; send one such as {example}.", "body")
    wrong = [
        *_unknown(sent, list(model.model_fields)),
        *((name, TWICE) for name in dict.fromkeys(twice)),
    ]
    _refuse([(name.encode("utf-8", "replace").decode(), problem) for name, problem in wrong])
    return sent


def _query_fields(dependant: Dependant) -> list[ModelField]:
    """The query fields of a route and of its dependencies."""
    fields = list(dependant.query_params)
    for other in dependant.dependencies:
        fields += _query_fields(other)
    return fields


def _wrong_fields(
    sent: Sequence[tuple[str, object]], fields: Sequence[ModelField]
) -> list[tuple[str, str]]:
    """The wrong fields among those that were sent, each with its problem."""
    many = {field.alias for field in fields if get_origin(field.field_info.annotation) is list}
    field_names = [field.alias for field in fields]
    names = [name for name, _ in sent]
    twice = [name for name in field_names if names.count(name) > 1 and name not in many]
    kinds = {field.alias: _kinds(field) for field in fields}
    numbers = [
        (name, f"{problem}, not '{text[:40]}'")
        for name, text in sent
        if isinstance(text, str) and text and (problem := number_problem(text, kinds.get(name, ())))
    ]
    return [*_unknown(names, field_names), *((name, TWICE) for name in twice), *numbers]


def _kinds(field: ModelField) -> tuple[Any, ...]:
    annotation = field.field_info.annotation
    return get_args(annotation) or (annotation,)


def _unknown(names: Iterable[str], field_names: Sequence[str]) -> list[tuple[str, str]]:
    listing = f"here are {', '.join(field_names)}" if field_names else "this address takes none"
    unknown = dict.fromkeys(name for name in names if name not in field_names)
    return [(name, f"there is no such field; {listing}") for name in unknown]
