"""Reading replies: JSON into dataclasses, and forms of pictures."""

import email
import email.policy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import httpx

from place_search_client.errors import ProblemError

T = TypeVar("T")


def read(kind: type[T], reply: httpx.Response) -> T:
    """A reply as a dataclass. Raises ProblemError where no place-search server answers so."""
    with _understood(reply):
        return _made(kind, reply.json())


def read_tagged(kind: type[T], reply: httpx.Response) -> tuple[T, str]:
    """A reply as a dataclass, and its ETag. Raises as `read`."""
    with _understood(reply):
        return _made(kind, reply.json()), reply.headers["etag"]


def read_dots(reply: httpx.Response) -> dict[str, Any]:
    """A GeoJSON FeatureCollection. Raises as `read`."""
    with _understood(reply):
        collection = dict(reply.json())
        return {**collection, "features": list(collection["features"])}


def read_pictures(reply: httpx.Response) -> dict[int, bytes]:
    """The files of a form by their names, which are numbers (RFC 7578). Raises as `read`."""
    with _understood(reply):
        head = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + reply.content, policy=email.policy.HTTP)
        if message.get_content_maintype() != "multipart":
            raise ValueError("there is no form")
        return {
            int(str(part.get_param("name", header="content-disposition"))): part.get_content()
            for part in message.iter_parts()
        }


def read_picture(reply: httpx.Response) -> bytes:
    """A picture's file. Raises as `read`."""
    with _understood(reply):
        if not reply.headers["content-type"].startswith("image/"):
            raise ValueError("there is no picture")
        return reply.content


@contextmanager
def _understood(reply: httpx.Response) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        host, path = reply.url.host, reply.url.path  # without a password
        detail = (
            f"{host} answers {path} as no place-search server of this version does; check the "
            "client's server, and upgrade it if it is older."
        )
        raise ProblemError(reply.status_code, {"detail": detail}) from error


def _made(kind: type[T], body: Mapping[str, Any]) -> T:
    """A dataclass from JSON. Raises KeyError for a missing field that every server sends."""
    hints = _hints(kind)  # type: ignore[arg-type]
    return kind(
        **{
            field.name: _value(hints[field.name], body[field.name])
            for field in fields(kind)  # type: ignore[arg-type]
            if field.name in body or not _has_default(field)
        }
    )


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) is list:
        return [_value(get_args(hint)[0], item) for item in value]
    for kind in get_args(hint) or (hint,):
        if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
            return _made(kind, value)
    return value
