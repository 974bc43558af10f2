"""Other people's text, made safe to show and to compare; times and sizes as text."""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

# Characters that a terminal obeys in place of showing them: control characters, line separators,
# marks of the writing direction; and surrogates, which stand for bytes of names that are not UTF-8.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_JOINERS = "\u200c\u200d"


def json_text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON that every program reads: NaN and infinity are null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def parse_json(
    content: str | bytes, *, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """The value of JSON; `pairs` makes the values of its objects.

    Raises:
        ValueError: it is no JSON, or nested too deep, for which Python has an error of its own.
    """
    try:
        return json.loads(content, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def iso_time(seconds: float) -> str | None:
    """A time in seconds since 1970 as ISO 8601 in UTC; None if it is out of range."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def printable(text: str) -> str:
    """A line of text in which characters that a terminal would obey are escapes, as `\\x1b`."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def printable_json(text: str) -> str:
    """JSON with such characters escaped in its strings; its lines and its values stay the same."""
    return "\n".join(
        _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", line) for line in text.split("\n")
    )


def encodable(text: str) -> str:
    """Text that UTF-8 can encode: bytes of names that are not UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def composed(text: str) -> str:
    """Text in Unicode's composed form, NFC.

    Names of files on macOS have letters and accents apart, keyboards type them composed; keyboards
    of Hindi type either form of a letter with a nukta.
    """
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Text to compare by: composed and without differences of case."""
    return composed(composed(text).casefold())


def capitalized(sentence: str) -> str:
    """A sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def counted(count: int, noun: str) -> str:
    """A number with its noun, as `1 query` or `1,200 queries`."""
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun}"


def needed_bytes(count: int) -> str:
    """A size in kB, MB or GB with at least two digits, rounded up."""
    return _size(count, math.ceil)


def free_bytes(count: int) -> str:
    """A size like that of `needed_bytes`, rounded down, so that too little never looks enough."""
    return _size(count, math.floor)


def _size(count: int, rounding: Callable[[float], int]) -> str:
    name, unit = "kB", 1e3
    if count >= 1e6:
        name, unit = ("GB", 1e9) if count >= 1e9 else ("MB", 1e6)
    value = count / unit
    return f"{rounding(value)} {name}" if value >= 10 else f"{rounding(10 * value) / 10:g} {name}"


def is_shown(text: str) -> bool:
    """Whether a text has only visible characters, spaces, and joiners.

    Hindi, Persian and emoji need joiners; marks of the writing direction are not allowed.
    """
    return all(
        letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
        for letter in text
    )
