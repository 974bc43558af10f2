"""Text of others, made fit to show and to compare; and times and sizes as text."""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

# What a terminal obeys in place of showing: control characters, line separators, marks that turn
# the direction of what follows; and what no encoding can hold, the bytes of names that are not
# UTF-8.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_JOINERS = "\u200c\u200d"


def json_text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON that every program reads: a number that is not finite is null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def iso_time(seconds: float) -> str | None:
    """A time in seconds since 1970 as ISO 8601 in UTC; None where no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def printable(text: str) -> str:
    """One line of text, in which all that a terminal would obey is an escape, such as `\\x1b`."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def printable_json(text: str) -> str:
    """The same of JSON, which stays what it is: its lines, and values that read back."""
    return "\n".join(
        _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n")
    )


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: bytes of names that are not UTF-8 stand as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def composed(text: str) -> str:
    """Text with each letter spelt in one way.

    Names of files on macOS have accents in two pieces, keyboards in one; keyboards of Hindi have
    either of a letter with a nukta.
    """
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """What spellings of one text have in common, whatever their case and the pieces of accents."""
    return composed(composed(text).casefold())


def capitalized(sentence: str) -> str:
    """A sentence that may have begun within another one, as its own."""
    return sentence[:1].upper() + sentence[1:]


def counted(count: int, thing: str) -> str:
    """A number of things, as `1 query` or `1,200 queries`."""
    if count != 1:
        thing = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{count:,} {thing}"


def needed_bytes(count: int) -> str:
    """A size in kB, MB or GB, of which two digits or more are told, rounded up."""
    return _size(count, math.ceil)


def free_bytes(count: int) -> str:
    """The same, rounded down: less than is needed never looks like as much."""
    return _size(count, math.floor)


def _size(count: int, rounded: Callable[[float], int]) -> str:
    name, unit = "kB", 1e3
    if count >= 1e6:
        name, unit = ("GB", 1e9) if count >= 1e9 else ("MB", 1e6)
    value = count / unit
    return f"{rounded(value)} {name}" if value >= 10 else f"{rounded(10 * value) / 10:g} {name}"


def is_shown(text: str) -> bool:
    """Whether a text has only letters that are seen, spaces, and what joins letters.

    Hindi, Persian and emoji need joiners; what turns the direction of writing is not among them.
    """
    return all(
        letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
        for letter in text
    )
