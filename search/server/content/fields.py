"""The fields of a request: one that its route does not know, or that comes twice, is an error."""

import json
import math
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

from place_search.core.tables import parse_number
from place_search.indexer import Filter, Index, parse_filter
from place_search.search.errors import ParameterError

FIELD_PROBLEM = "field"
"""The type of the validation errors raised here; their messages need no more."""
TWICE = "send it once, not twice"
NO_WHOLE_NUMBER = "write a whole number in digits"
NO_NUMBER = "write a number in digits"
MOST_WRONG = 100
"""Fields of a JSON body that are told to be wrong."""


async def check_fields(request: Request) -> None:
    """Refuse a request with fields that would be ignored, or numbers that are not plain digits.

    Raises:
        RequestValidationError: a field of the query or form is unknown, repeated or such a number.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)  # noqa: S101 - those of the API only depend on this
    known = route.dependant
    wrong = _wrong(request.query_params.multi_items(), _query_fields(known))
    if known.body_params:
        form = await request.form()  # read already
        wrong += _wrong(form.multi_items(), known.body_params)
    _refuse(wrong)


def _refuse(wrong: Sequence[tuple[str, str]]) -> None:
    """Raise `RequestValidationError` for fields, by name and what is wrong, where there are any."""
    if wrong:
        raise RequestValidationError(
            [
                {"type": FIELD_PROBLEM, "loc": ("request", name), "msg": said, "input": None}
                for name, said in wrong
            ]
        )


CHECKED_FIELDS = Depends(check_fields)


def _place_id(text: str) -> str:
    """A text that is an id as it is written: pydantic takes "1.0" and "1_0" for whole numbers."""
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
class AskedFilter:
    """What places must be, as an address says it; see `Filter`."""

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


FilterFields = Annotated[AskedFilter, Depends()]


async def photo_in(field: str, upload: UploadFile) -> bytes:
    """The photo that came in a field. Raises `ParameterError` where it holds none."""
    if content := await upload.read():
        return content
    raise ParameterError(f"The field {field} holds no bytes; send a photo in it.", field)


async def json_object(request: Request, model: type[BaseModel], example: str) -> dict[str, Any]:
    """The JSON object of a body, of which only the names are checked against the model.

    Raises:
        ParameterError: it is none; `example` is one.
        RequestValidationError: a field is unknown, or comes twice at whatever depth.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        return dict(pairs)

    try:
        sent: Any = json.loads(await request.body(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise ParameterError(f"The body is no JSON object; send one such as {example}.", "body")
    known = list(model.model_fields)
    wrong = [*_unknown(sent, known), *((name, TWICE) for name in dict.fromkeys(twice))]
    _refuse([(name.encode("utf-8", "replace").decode(), said) for name, said in wrong[:MOST_WRONG]])
    return sent


def _query_fields(dependant: Dependant) -> list[ModelField]:
    """The fields of the query that a route takes, itself or by what it depends on."""
    fields = list(dependant.query_params)
    for other in dependant.dependencies:
        fields += _query_fields(other)
    return fields


def _wrong(
    given: Sequence[tuple[str, object]], fields: Sequence[ModelField]
) -> list[tuple[str, str]]:
    many = {field.alias for field in fields if get_origin(field.field_info.annotation) is list}
    known = [field.alias for field in fields]
    names = [name for name, _ in given]
    twice = [name for name in known if names.count(name) > 1 and name not in many]
    kinds = {field.alias: _kinds(field) for field in fields}
    numbers = [
        (name, f"{said}, not '{text[:40]}'")
        for name, text in given
        if isinstance(text, str) and text and (said := _no_number(text, kinds.get(name, ())))
    ]
    return [*_unknown(names, known), *((name, TWICE) for name in twice), *numbers]


def _kinds(field: ModelField) -> tuple[Any, ...]:
    annotation = field.field_info.annotation
    return get_args(annotation) or (annotation,)


def _no_number(text: str, kinds: Sequence[Any]) -> str:
    """What is wrong of a text for a number: pydantic takes "1_0", " 10" and "１０" for 10."""
    if int in kinds:
        return "" if re.fullmatch("-?[0-9]+", text) else NO_WHOLE_NUMBER
    if float in kinds:
        plain = text == text.strip() and not math.isnan(parse_number(text))
        return "" if plain else NO_NUMBER
    return ""


def _unknown(names: Iterable[str], known: Sequence[str]) -> list[tuple[str, str]]:
    here = f"here are {', '.join(known)}" if known else "this address takes none"
    unknown = dict.fromkeys(name for name in names if name not in known)
    return [(name, f"there is no such field; {here}") for name in unknown]
