"""Every error as RFC 9457 problem+json: one table of types, and the handlers that use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.core.tables import NO_NUMBER, NO_WHOLE_NUMBER
from place_search.core.text import capitalized
from place_search.models import VocabularyError
from place_search.photos import (
    OversizedPhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.sandbox.decoder import DecoderBusyError
from place_search.search.errors import (
    BusyError,
    CannotChangeError,
    KeyReusedError,
    NotReadyError,
    PhotoGoneError,
    StorageFullError,
    TimedOutError,
    UnknownIndexError,
    UnknownReportError,
    UnknownTrackError,
)
from place_search.search.server.content.fields import FIELD_PROBLEM
from place_search.search.server.content.schemas import ReasonReply, Reply, coded
from place_search.search.server.roles import methods_at
from place_search.search.server.served import ServedIndex, served_of

MEDIA_TYPE = "application/problem+json"
FAILED = "The server failed on this request; its log says how."


class ParameterProblem(Reply):
    """One parameter that is wrong."""

    name: str
    reason: str


class ProblemReply(Reply):
    """An error, as RFC 9457 describes it."""

    type: str = Field(description="Stable; a relative reference such as /problems/busy.")
    title: str
    status: int
    detail: str = Field(description="One sentence: what is wrong and what to do.")
    reason: ReasonReply | None = Field(
        default=None, description="What detail says, as a code; not there where it has none."
    )
    errors: list[ParameterProblem] | None = Field(
        default=None, description="The parameters that are wrong, where any are."
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error: its stable name, its HTTP status and its title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URI reference of this kind of error."""
        return f"/problems/{self.name}"

    def describe(self, detail: str, **more: Any) -> dict[str, Any]:
        """The problem's JSON; `detail` is a sentence."""
        # JSON may have half of a surrogate pair, which UTF-8 cannot encode.
        detail = detail.encode("utf-8", "replace").decode()
        reply = ProblemReply(
            type=self.type,
            title=self.title,
            status=self.status,
            detail=capitalized(detail),
            reason=coded(detail),
            **more,
        )
        return reply.model_dump(mode="json", exclude_none=True)


class ProblemResponse(JSONResponse):
    """The HTTP response of a problem; it leaves the problem's name in the scope."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, content: Any, headers: Mapping[str, str]) -> None:
        super().__init__(content, problem.status, headers=headers)
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        scope["problem"] = self.problem.name
        await super().__call__(scope, receive, send)


BAD_PARAMETER = Problem("bad-parameter", 400, "A parameter is wrong")
BAD_REQUEST = Problem("bad-request", 400, "The request is malformed")
NOT_FOUND = Problem("not-found", 404, "Nothing is here")
UNKNOWN_PLACE = Problem("unknown-place", 404, "No such place")
UNKNOWN_INDEX = Problem("unknown-index", 404, "No such index")
UNKNOWN_REPORT = Problem("unknown-report", 404, "No such report")
UNKNOWN_TRACK = Problem("unknown-track", 404, "No such open track")
PHOTO_GONE = Problem("photo-gone", 404, "The place's photo has gone")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "This method does not work here")
UNAUTHORIZED = Problem("unauthorized", 401, "An API key is needed")
FORBIDDEN = Problem("forbidden", 403, "This API key may not do that")
CROSS_SITE = Problem("cross-site", 403, "The request comes from another site's page")
SLOW_REQUEST = Problem("slow-request", 408, "The request arrived too slowly")
EDIT_CONFLICT = Problem("edit-conflict", 412, "Somebody else has changed the place")
UNFIT_VALUE = Problem("unfit-value", 422, "A value does not fit")
KEY_REUSED = Problem("key-reused", 422, "The idempotency key belongs to another request")
CANNOT_CHANGE = Problem("cannot-change", 409, "The index cannot be changed now")
WRONG_HOST = Problem("wrong-host", 421, "The server has another name")
BODY_TOO_LARGE = Problem("body-too-large", 413, "The request is too large")
OVERSIZED_PHOTO = Problem("oversized-photo", 413, "The photo has too many pixels")
UNSUPPORTED_PHOTO = Problem("unsupported-photo", 415, "Not a photo format")
UNREADABLE_PHOTO = Problem("unreadable-photo", 422, "The photo cannot be read")
BUSY = Problem("busy", 429, "Too many requests are waiting")
RATE_LIMITED = Problem("rate-limited", 429, "Too many requests from you")
TIMED_OUT = Problem("timed-out", 503, "The server took too long")
INTERNAL = Problem("internal", 500, "Something went wrong in the server")
NO_VOCABULARY = Problem("no-vocabulary", 501, "The model cannot be explained")
ENGINE_DOWN = Problem("engine-down", 503, "The vector engine does not answer")
INDEX_DAMAGED = Problem("index-damaged", 503, "A file of the index is damaged")
NOT_READY = Problem("not-ready", 503, "The server is still loading")
STORAGE_FULL = Problem("storage-full", 507, "The server's disk is full")

OF_PHOTOS = (BAD_PARAMETER, BODY_TOO_LARGE, OVERSIZED_PHOTO, UNSUPPORTED_PHOTO, UNREADABLE_PHOTO)
"""The problems of a request with photos."""

OF_CHANGES = (FORBIDDEN, METHOD_NOT_ALLOWED, CANNOT_CHANGE, BUSY, NOT_READY, STORAGE_FULL)
"""The problems of every request that changes the index."""

PROBLEMS = {value.name: value for value in (*globals().values(),) if isinstance(value, Problem)}
"""All problems above, by their names."""

_OF_ERROR: Mapping[type[PlaceSearchError], Problem] = {
    PhotoGoneError: PHOTO_GONE,
    UnknownIndexError: UNKNOWN_INDEX,
    UnknownReportError: UNKNOWN_REPORT,
    UnknownTrackError: UNKNOWN_TRACK,
    OversizedPhotoError: OVERSIZED_PHOTO,
    UnsupportedPhotoError: UNSUPPORTED_PHOTO,
    UnreadablePhotoError: UNREADABLE_PHOTO,
    VocabularyError: NO_VOCABULARY,
    BusyError: BUSY,
    CannotChangeError: CANNOT_CHANGE,
    KeyReusedError: KEY_REUSED,
    StorageFullError: STORAGE_FULL,
    DecoderBusyError: BUSY,
    TimedOutError: TIMED_OUT,
    NotReadyError: NOT_READY,
}

_OF_STATUS = {
    400: BAD_REQUEST,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    408: SLOW_REQUEST,
    413: BODY_TOO_LARGE,
    429: BUSY,
}

_DETAIL_OF_STATUS = {
    404: "There is nothing at {path}; {server}/docs lists what there is.",
    405: "{path} does not take {method}; {server}/docs lists what it takes.",
}


def problem_response(
    problem: Problem,
    detail: str,
    *,
    errors: Sequence[ParameterProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """The HTTP response of a problem; `detail` is a sentence."""
    content = problem.describe(detail, errors=None if errors is None else list(errors))
    extra = dict(headers or {})
    if problem.status in (429, 503):
        extra.setdefault("Retry-After", "1")
    if problem.status == 429:
        # Its client comes again about when the server closes an idle connection: it would be cut.
        extra["Connection"] = "close"
    return ProblemResponse(problem, content, extra)


def documented(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these problems, for its documentation."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        previous = by_status.get(problem.status)
        title = f"{previous['description']}, or: {problem.title}" if previous else problem.title
        by_status[problem.status] = {
            "description": title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemReply"}}},
        }
    return by_status


async def _on_place_search_error(request: Request, error: Exception) -> ProblemResponse:
    # Imported here, as the indexer would delay the server's start; by now it is loaded.
    from place_search.indexer import (
        EditConflictError,
        FieldError,
        IndexFormatError,
        IndexReadError,
        StoreOutageError,
        UnknownPlaceError,
    )

    if isinstance(error, WrongParameterError):
        reason = str(error).removesuffix(".")
        wrong = [ParameterProblem(name=name, reason=reason) for name in error.parameters]
        return problem_response(BAD_PARAMETER, str(error), errors=wrong)
    if isinstance(error, EditConflictError):
        return problem_response(EDIT_CONFLICT, str(error))
    if isinstance(error, FieldError):
        return problem_response(UNFIT_VALUE, str(error))
    if isinstance(error, UnknownPlaceError):
        return problem_response(UNKNOWN_PLACE, str(error))
    if isinstance(error, StoreOutageError):
        # The engine's address and its error are for the log alone.
        return problem_response(
            ENGINE_DOWN,
            "The engine that holds the index's vectors does not answer; try again soon.",
        )
    if isinstance(error, (IndexFormatError, IndexReadError)):
        served_of(request).service.note_damage(error)
        return problem_response(
            INDEX_DAMAGED,
            "A file of the index is damaged, and the answer needs what was in it; the server's log "
            "says which.",
        )
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, BusyError) else {}
    for kind in type(error).__mro__:
        if kind in _OF_ERROR:
            return problem_response(_OF_ERROR[kind], str(error), headers=headers)
    raise error  # without a problem of its own it is a failure, which is logged


_OF_PATHS = "/:@!$&'()*+,;="
"""The characters that a path has as they are (RFC 3986), beside letters, digits and `-._~`."""


async def _on_http_exception(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    problem = _OF_STATUS.get(error.status_code)
    if problem is None:
        problem = BAD_REQUEST if error.status_code < 500 else INTERNAL
    detail = _DETAIL_OF_STATUS.get(error.status_code, str(error.detail))
    detail = detail.format(
        path=quote(request.scope.get("asked_path", request.url.path), safe=_OF_PATHS),
        method=request.method,
        server=request.scope.get("server_path", ""),
    )
    headers = error.headers
    if problem is METHOD_NOT_ALLOWED:
        # The error has the methods of one route, and the address may have several.
        served: ServedIndex | None = request.scope["served"]
        writable = served is not None and served.writer is not None
        methods = methods_at(request.app.state.routes, request.scope, writable=writable)
        headers = {"Allow": ", ".join(methods)}
    return problem_response(problem, detail, headers=headers)


async def _on_invalid_request(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
    wrong = [_parameter_problem(item) for item in error.errors()]
    if any(item["loc"][0] == "path" for item in error.errors()):
        return problem_response(
            UNKNOWN_PLACE, f"There is no place {wrong[0].name}; place ids are whole numbers."
        )
    detail = "; ".join(f"parameter {item.name}: {item.reason}" for item in wrong) + "."
    return problem_response(BAD_PARAMETER, detail, errors=wrong)


def _parameter_problem(item: Mapping[str, Any]) -> ParameterProblem:
    location = item["loc"]
    # The last part may be the position of a value in a list.
    field = next(part for part in reversed(location) if isinstance(part, str))
    name = str(item["input"] if location[0] == "path" else field)[:40]
    if item["type"] == FIELD_PROBLEM:
        reason = item["msg"]
    elif name == "photo":
        reason = "send the photo as a file in this multipart/form-data field"
    elif item["type"] == "missing":
        reason = "this parameter is required"
    else:
        message = item["msg"].removeprefix("Value error, ")
        reason = f"{message[:1].lower()}{message[1:]}"
        if plain := _PLAIN.get(item["type"]):
            reason = plain.format_map(item.get("ctx", {}))
        if not isinstance(item["input"], list):
            reason += f", not '{str(item['input'])[:40]}'"
    return ParameterProblem(name=name, reason=reason)


_PLAIN = {
    "int_parsing": NO_WHOLE_NUMBER,
    "float_parsing": NO_NUMBER,
    "bool_parsing": "write true or false",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_long": "use at most {max_length} letters",
    "too_long": "give at most {max_length}, not {actual_length}",
    "too_short": "give at least {min_length}",
}
"""Plain reasons for the types of pydantic's errors."""


def add_problem_handlers(app: FastAPI) -> None:
    """Answer the expected errors of an app with problem+json; `RequestLog` handles all others."""
    app.add_exception_handler(PlaceSearchError, _on_place_search_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
