"""Reading replies: JSON into dataclasses, and forms of pictures."""

import email
import email.policy
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read(kind: type[T], body: Mapping[str, Any]) -> T:
    """A reply from its JSON. Raises KeyError for a missing field that every server sends."""
    hints = _hints(kind)  # type: ignore[arg-type]
    return kind(
        **{
            field.name: _value(hints[field.name], body[field.name])
            for field in fields(kind)  # type: ignore[arg-type]
            if field.name in body or not _has_default(field)
        }
    )


def read_pictures(media_type: str, form: bytes) -> dict[int, bytes]:
    """The files of a form by their names, which are numbers (RFC 7578)."""
    head = f"Content-Type: {media_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + form, policy=email.policy.HTTP)
    return {
        int(str(part.get_param("name", header="content-disposition"))): part.get_content()
        for part in message.iter_parts()
    }


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
            return read(kind, value)
    return value
