"""Tables as text: CSV files of people, spreadsheets and other programs."""

import csv
import io
import math
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import IO, TypeGuard

from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.core.files import open_regular, read_regular
from place_search.core.text import encodable

SEPARATORS = ",;\t"
ALIASES: Mapping[str, str] = {
    "lat": "latitude",
    "lon": "longitude",
    "lng": "longitude",
    "image": "path",
    "file": "path",
    "filename": "path",
}
"""Other names of columns."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "\r")
NO_WHOLE_NUMBER = "write a whole number in digits"
NO_NUMBER = "write a number in digits"
NAME_COLUMNS = ("path", "query", "positives")


class Table:
    """An open table: its `columns`, and its rows when iterated.

    A row is a pair of its line number in the file and its fields by column. Blank rows are left
    out; fields that a short row lacks are blank. Fields are stripped of spaces, except those of
    `NAME_COLUMNS`, since names of files may begin or end with spaces.
    """

    def __init__(self, path: Path, stream: IO[str], error: type[PlaceSearchError]) -> None:
        self.path = path
        self._error = error
        start = stream.tell()
        separator = max(SEPARATORS, key=stream.readline().count)
        stream.seek(start)
        self._reader = csv.reader(stream, strict=True, delimiter=separator)
        self._head = next(self._reader, [])
        names = (name.strip().lower() for name in self._head)
        self.columns = tuple(ALIASES.get(name, name) for name in names)
        if twice := [name for name in self.columns if name and self.columns.count(name) > 1]:
            raise error(
                f"{path} names a column twice in its first row, {twice[0]}; rename or remove one "
                "of them."
            )

    def require(self, *needed: str, hint: str = "") -> None:
        """Make sure that the table has these columns. Raises `PlaceSearchError` otherwise."""
        for name in needed:
            if name not in self.columns:
                raise self._error(
                    f"{self.path} lacks the column {name}: its first row must name the columns, as "
                    f"in {','.join(needed)}, and names {','.join(self._head) or 'nothing'}{hint}."
                )

    def misspelt(self, *optional: str) -> dict[str, str]:
        """The `optional` columns that are probably meant by columns of nearly their names.

        A column that there is under its own name is not meant by another one.
        """
        from difflib import get_close_matches

        absent = [name for name in optional if name not in self.columns]
        others = [name for name in self.columns if name not in optional]
        near = {name: get_close_matches(name, absent, n=1, cutoff=0.85) for name in others}
        return {name: matches[0] for name, matches in near.items() if matches}

    def require_spelt(self, *optional: str) -> None:
        """Refuse a column that is probably a misspelt `optional` one. Raises `PlaceSearchError`."""
        for name, meant in self.misspelt(*optional).items():
            raise self._error(
                f"{self.path} names the column {name}, which would be left out; call it {meant} if "
                "that is meant, else something else."
            )

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        for fields in self._reader:
            if not any(field.strip() for field in fields):
                continue
            if len(fields) > len(self.columns):
                raise self._error(
                    f"{self.path} has {len(fields)} fields in row {self._reader.line_num} under "
                    f"{len(self.columns)} columns; put quotation marks around a field that holds "
                    "the sign between fields."
                )
            filled = [*fields, *[""] * (len(self.columns) - len(fields))]
            yield (
                self._reader.line_num,
                {
                    name: field if name in NAME_COLUMNS else field.strip()
                    for name, field in zip(self.columns, filled, strict=True)
                },
            )


class PhotosOnce:
    """The photos under `root` that a table or text names, each once."""

    def __init__(self, path: Path, root: Path, error: type[PlaceSearchError]) -> None:
        self.path = path
        self.root = root
        self._error = error
        self._row_of_file: dict[str, int] = {}

    def add(self, photo: str, row: int) -> None:
        """Take the photo of a row, or of a line of a text.

        A link and its target are two photos. Raises `PlaceSearchError` for a photo that an earlier
        row names, in any spelling.
        """
        file = os.path.abspath(self.root / photo)  # noqa: PTH100 - a Path keeps ".."
        if (first := self._row_of_file.setdefault(file, row)) != row:
            raise self._error(
                f"{self.path} names '{photo}' twice, in rows {first} and {row}; leave one of them "
                "out."
            )


@contextmanager
def open_table(
    path: Path, needed: Sequence[str] = (), *, error: type[PlaceSearchError]
) -> Iterator[Table]:
    """Open a CSV file: UTF-8, or UTF-16 by its mark; commas, semicolons or tabs between fields.

    Raises:
        PlaceSearchError: of the type `error`, where the file cannot be read as such a table, names
            a column twice, perhaps by an alias, or lacks one of the columns `needed`.
    """
    try:
        encoding = _encoding(path)
        with io.TextIOWrapper(open_regular(path), encoding, newline="") as stream:
            table = Table(path, stream, error)
            table.require(*needed)
            yield table
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path.") from None
    except IsADirectoryError:
        raise error(f"{path} is a folder where a CSV file is needed.") from None
    except UnicodeError:
        raise error(f"{path} is not UTF-8 text; save it as UTF-8 CSV.") from None
    except csv.Error as reason:
        raise error(f"{path} is not a CSV file ({reason}); save it as UTF-8 CSV.") from reason
    except OSError as reason:
        raise error(f"{path} cannot be read ({reason.strerror}); check it.") from reason


def table_text(rows: Iterable[Iterable[object]]) -> str:
    """CSV in which a cell that a spreadsheet would run as a formula begins with an `'`.

    Numbers stay numbers, even negative. All other text reads back unchanged, even control
    characters in names of files.
    """
    return "".join(map(table_line, rows))


def table_line(row: Iterable[object]) -> str:
    """A row of `table_text`."""
    out = io.StringIO()
    # The writer quotes only characters of its own line end, but readers end lines at \r, too.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow("" if cell is None else _inert(encodable(str(cell))) for cell in row)
    return f"{out.getvalue()[:-2]}\n"


def _inert(cell: str) -> str:
    runs = cell.startswith(FORMULA_STARTS) and math.isnan(parse_number(cell))
    return f"'{cell}" if runs else cell


def read_lines(path: Path, *, error: type[PlaceSearchError]) -> list[str]:
    """The lines of `numbered_lines`, without their numbers."""
    return [line for _, line in numbered_lines(path, error=error)]


def numbered_lines(path: Path, *, error: type[PlaceSearchError]) -> list[tuple[int, str]]:
    """The stripped lines of a text, UTF-8, or UTF-16 by its mark, with their numbers from 1.

    Blank lines are left out.

    Raises:
        PlaceSearchError: of the type `error`, where the file cannot be read as such a text.
    """
    try:
        text = read_regular(path).decode(_encoding(path))
    except (OSError, UnicodeError) as reason:
        raise error(f"{path} cannot be read as UTF-8 text ({reason}).") from reason
    lines = enumerate(text.splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def parse_number(text: str) -> float:
    """A finite number in plain digits, such as -48.1 or 4.81e1; NaN for anything else."""
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def parse_numbers(text: str) -> list[float]:
    """`parse_number` each part of a text such as "48.1, 11.5"."""
    return [parse_number(part.strip()) for part in text.split(",")]


def parse_whole(text: str) -> int | None:
    """A whole number of at least 0 in plain digits; None for anything else."""
    return int(text) if re.fullmatch("[0-9]{1,4000}", text) else None


def number_problem(text: str, kinds: Container[type]) -> str:
    """Why a text is no number of these kinds, "" where it is one or none is asked for.

    Pydantic takes "1_0", "１０", " 10" and "10.0" for 10, and Typer "1_0": both ask here first.
    """
    if int in kinds:
        return NO_WHOLE_NUMBER if parse_whole(text.removeprefix("-")) is None else ""
    is_wrong = text != text.strip() or math.isnan(parse_number(text))
    return NO_NUMBER if float in kinds and is_wrong else ""


def number_of(value: object) -> float:
    """A finite number of Python or NumPy as a float; NaN for anything else, such as a text."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:  # a whole number too large for a float
        return math.nan


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number of Python or NumPy, but not True or False."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def require_number(
    name: str, value: object, minimum: float, maximum: float = math.inf, *, whole: bool = False
) -> None:
    """Make sure that a parameter is a finite number from `minimum` to `maximum`.

    Raises:
        WrongParameterError: it is not, or it is not whole where `whole` is True.
    """
    is_number = is_whole(value) if whole else not math.isnan(number_of(value))
    if is_number and minimum <= number_of(value) <= maximum:
        return
    bounds = f" from {minimum:g}" if math.isinf(maximum) else f" from {minimum:g} to {maximum:,g}"
    raise WrongParameterError(
        f"The parameter {name} is {value!r:.40}, but it must be a "
        f"{'whole' if whole else 'finite'} number{'' if math.isinf(minimum) else bounds}.",
        name,
    )


def numbers_of(values: object) -> list[float]:
    """`number_of` each value; an empty list if `values` is not iterable, or is bytes."""
    if isinstance(values, bytes | bytearray) or not isinstance(values, Iterable):
        return []
    return list(map(number_of, values))


def _encoding(path: Path) -> str:
    with open_regular(path) as stream:
        marked = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
    return "utf-16" if marked else "utf-8-sig"
