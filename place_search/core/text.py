"""Text of others, made fit to show."""

import re

# What a terminal obeys in place of showing: control characters but tab and new line, line
# separators, marks that turn the direction of what follows; and what no encoding can hold, the
# bytes of names that are not UTF-8.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Text in which all that a terminal would obey stands as an escape, such as `\\x1b`."""
    return _OBEYED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
