"""Filters of places by folder, date, tag and own fields, answered from columns in memory.

A filter gives a mask over the rows of an index. Columns are made when they are first asked for:
at a million places that takes about a second, and each filter afterwards a few milliseconds.
"""

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from place_search.core.text import composed, folded
from place_search.indexer.errors import FieldError, FilterError
from place_search.indexer.sources.kept_views import path_in_source
from place_search.indexer.storage.edits import Edits, FieldValue, parse_field_value
from place_search.indexer.storage.groups import Groups

COMPARISONS = ("eq", "lt", "le", "gt", "ge")
MAX_CONDITIONS = 32
"""Tags and fields that one filter may name."""

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in COMPARISONS
}


class FieldCondition(NamedTuple):
    """What an own field must be: its name, one of `COMPARISONS`, and with which value."""

    name: str
    comparison: str
    value: FieldValue


@dataclass(frozen=True, slots=True)
class Filter:
    """What places must be, all of it.

    Their photo's path lies in `folder`, below the indexed one; it was `taken` from the first time
    up to the second, which is not included, in seconds since 1970; they have each of the `tags`,
    their own fields fit all `conditions`, and name, note, a tag or the name of their group holds
    `text` in whatever case. What is not known of a place never fits.
    """

    folder: str = ""
    taken_from: float | None = None
    taken_before: float | None = None
    tags: tuple[str, ...] = ()
    conditions: tuple[FieldCondition, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return self != Filter()


def parse_filter(
    edits: Edits,
    *,
    folder: str | PurePath | None = None,
    taken_from: str | date | None = None,
    taken_to: str | date | None = None,
    tag: Iterable[str] | None = (),
    field: Iterable[str] | None = (),
    q: str | None = None,
) -> Filter:
    """A filter from the texts of an address or a command line, or from Python.

    `taken_from` and `taken_to` are dates, both included, or times, in UTC where they do not say
    otherwise, or such in ISO format; each `field` is `name:comparison:value`. An index with these
    `edits` declares which fields there are, and of which type.

    Raises:
        FilterError: a text that is none of that.
    """
    folder = folder.as_posix() if isinstance(folder, PurePath) else folder
    for name, text in (("folder", folder), ("q", q)):
        if not isinstance(text, str | None):
            raise FilterError(f"The parameter {name} is a text, not {repr(text)[:60]}.", name)
    tag, field = _texts("tag", tag), _texts("field", field)
    if len(tag) + len(field) > MAX_CONDITIONS:
        raise FilterError(
            f"A filter names at most {MAX_CONDITIONS} tags and fields; send fewer.", "tag", "field"
        )
    first = None if taken_from is None else _seconds("taken_from", taken_from)
    last = None if taken_to is None else _seconds("taken_to", taken_to, whole_day=True)
    if first is not None and last is not None and last <= first:
        raise FilterError(
            "The parameter taken_to lies before taken_from; swap them.", "taken_from", "taken_to"
        )
    return Filter(
        folder=(folder or "").strip("/"),
        taken_from=first,
        taken_before=last,
        tags=tuple(map(composed, tag)),
        conditions=tuple(_condition(text, edits) for text in field),
        text=folded((q or "").strip()),
    )


def _texts(name: str, given: Iterable[str] | None) -> list[str]:
    if isinstance(given, str):
        raise FilterError(f"The parameter {name} is a list of texts; give ['{given[:60]}'].", name)
    texts = [] if given is None else list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise FilterError(f"The parameter {name} is a list of texts, not {repr(given)[:60]}.", name)
    return texts


def _seconds(name: str, given: str | date, *, whole_day: bool = False) -> float:
    """The first moment of a date or time; with `whole_day` the first one after it."""
    text = given.isoformat() if isinstance(given, date) else given
    try:
        if len(text) == len("2024-05-31"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day.timestamp() + (86_400 if whole_day else 0)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.timestamp() + (1e-6 if whole_day else 0.0)
    except (TypeError, ValueError, OverflowError):
        raise FilterError(
            f"The parameter {name} is no date or time; write it as 2024-05-31 or "
            f"2024-05-31T14:30, not '{str(text)[:40]}'.",
            name,
        ) from None


def _condition(text: str, edits: Edits) -> FieldCondition:
    name, _, rest = text.partition(":")
    comparison, colon, value = rest.partition(":")
    if comparison not in _OPERATORS or not colon:
        raise FilterError(
            "The parameter field is written name:comparison:value with one of "
            f"{', '.join(COMPARISONS)}, as in floor:ge:3, not '{text[:60]}'.",
            "field",
        )
    try:
        parsed = parse_field_value(name, value, edits.fields)
    except FieldError as error:
        raise FilterError(str(error), "field") from None
    return FieldCondition(name, comparison, _comparable(parsed))


def _comparable(value: FieldValue) -> FieldValue:
    return composed(value) if isinstance(value, str) else value


class SortedRows(NamedTuple):
    """Rows in an order, and what they are ordered by, ascending: bytes of names, or numbers."""

    rows: NDArray[np.intp]
    keys: NDArray[Any]


SORTS = ("id", "-id", "name", "-name", "taken", "-taken")
"""What places are listed by; with - the last come first."""


class FilterColumns:
    """The columns of one version of an index that filters are answered from. Thread-safe."""

    def __init__(
        self,
        place_ids: NDArray[np.int64],
        column: Callable[[str], NDArray[Any]],
        edits: Edits,
        groups: Groups,
    ) -> None:
        """All by ascending place id, as rows are; `column` reads one as shards say it.

        `groups` are of these places alone.
        """
        self._place_ids, self._column, self._edits = place_ids, column, edits
        self._groups = groups
        self._orders: dict[tuple[str, bool], SortedRows] = {}

    @cached_property
    def _taken(self) -> NDArray[np.float64]:
        return self._column("taken")

    def mask(self, wanted: Filter) -> NDArray[np.bool_]:
        """Which rows fit, (N,) bool."""
        fits = np.ones(len(self._place_ids), np.bool_)
        if wanted.folder:
            fits &= self._in_folder(wanted.folder)
        if wanted.taken_from is not None:
            fits &= self._taken >= wanted.taken_from
        if wanted.taken_before is not None:
            fits &= self._taken < wanted.taken_before
        for tag in wanted.tags:
            fits &= self._only(self._tagged.get(tag, np.empty(0, np.intp)))
        for name, comparison, value in wanted.conditions:
            rows, values = self._values.get(name, _NOTHING)
            fits &= self._only(rows[_OPERATORS[comparison](values, value)] if len(rows) else rows)
        if wanted.text:
            fits &= np.array([wanted.text in text for text in self._texts], np.bool_)
        return fits

    def order(self, sort: str, spots: bool) -> "SortedRows":
        """All rows in the order of one of `SORTS`; of equal ones the lower id comes first.

        With `spots` a place goes by the name of its group, where that has one.
        """
        asked = sort, spots and sort.endswith("name")
        if asked not in self._orders:
            self._orders[asked] = self._sorted(*asked)
        return self._orders[asked]

    def _sorted(self, sort: str, spots: bool) -> "SortedRows":
        if sort.endswith("id"):
            return SortedRows(np.arange(len(self._place_ids)), self._place_ids)
        keys: NDArray[Any]
        if sort.endswith("taken"):
            unknown = -np.inf if sort.startswith("-") else np.inf  # comes last
            keys = np.where(np.isnan(self._taken), unknown, self._taken)
        else:
            names = self._names_of_spots() if spots else self._shown_names
            # A to Z as a to z, for millions at once.
            keys = np.frombuffer(names.tobytes().lower(), names.dtype)
        rows = np.argsort(keys, kind="stable")
        return SortedRows(rows, keys[rows])

    @cached_property
    def _shown_names(self) -> NDArray[np.bytes_]:
        """The name of each row as people gave it, else as its shard says it."""
        names = self._column("name").tolist()
        for row, place_id in self._edited:
            if name := self._edits.by_place[place_id].name:
                names[row] = name.encode()
        return np.array(names, np.bytes_)

    def _names_of_spots(self) -> NDArray[np.bytes_]:
        """The name of each row's group, else its own."""
        if not self._groups.names:
            return self._shown_names
        names = self._shown_names.tolist()
        for rows, name in self._named_groups():
            for row in rows:
                names[row] = name.encode()
        return np.array(names, np.bytes_)

    def _named_groups(self) -> Iterator[tuple[list[int], str]]:
        """The rows of each group that has a name, and the name."""
        for group, name in self._groups.names.items():
            members = self._groups.members(group)
            yield np.searchsorted(self._place_ids, members).tolist(), name

    @cached_property
    def _texts(self) -> list[str]:
        """What `Filter.text` is looked for in, for each row."""
        texts = [folded(name.decode()) for name in self._shown_names.tolist()]
        for row, place_id in self._edited:
            edit = self._edits.by_place[place_id]
            said = (edit.note, *edit.tags)
            texts[row] = "\n".join([texts[row], *map(folded, said)])
        for rows, name in self._named_groups():
            for row in rows:
                texts[row] = f"{texts[row]}\n{folded(name)}"
        return texts

    def rows(self, wanted: Filter) -> NDArray[np.intp]:
        """The rows that fit, ascending."""
        return np.flatnonzero(self.mask(wanted))

    def tags(self) -> dict[str, int]:
        """Each tag there is, with the number of its places, by name."""
        return {tag: len(self._tagged[tag]) for tag in sorted(self._tagged)}

    def _only(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._place_ids), np.bool_)
        mask[rows] = True
        return mask

    def _in_folder(self, folder: str) -> NDArray[np.bool_]:
        names, numbers = self._folders
        wanted = composed(folder)
        # 0 follows on / in the order of characters.
        first, end = bisect_left(names, f"{wanted}/"), bisect_left(names, f"{wanted}0")
        return (numbers >= first) & (numbers < end)

    @cached_property
    def _folders(self) -> tuple[list[str], NDArray[np.intp]]:
        """All folders of photos, each with a / at its end, and for each row which is its own."""
        numbers: dict[bytes, int] = {}
        paths = self._column("path").tolist()
        folders = (path_in_source(path).rpartition(b"/")[0] for path in paths)
        column = np.fromiter(
            (numbers.setdefault(folder, len(numbers)) for folder in folders), np.intp, len(paths)
        )
        names = [f"{composed(name.decode('utf-8', 'surrogateescape'))}/" for name in numbers]
        order = sorted(range(len(names)), key=names.__getitem__)
        return [names[at] for at in order], np.argsort(order)[column]

    @cached_property
    def _edited(self) -> list[tuple[int, int]]:
        """Row and id of each edited place that is still there, by ascending id."""
        return self._edits.rows(self._place_ids)

    @cached_property
    def _tagged(self) -> dict[str, NDArray[np.intp]]:
        """The rows with each tag."""
        found: dict[str, list[int]] = {}
        for row, place_id in self._edited:
            for tag in self._edits.by_place[place_id].tags:
                found.setdefault(composed(tag), []).append(row)
        return {tag: np.array(rows, np.intp) for tag, rows in found.items()}

    @cached_property
    def _values(self) -> dict[str, tuple[NDArray[np.intp], NDArray[Any]]]:
        """For each own field the rows that have a value, and the values."""
        found: dict[str, tuple[list[int], list[FieldValue]]] = {}
        for row, place_id in self._edited:
            for name, value in self._edits.by_place[place_id].fields.items():
                rows, values = found.setdefault(name, ([], []))
                rows.append(row)
                values.append(_comparable(value))
        return {
            name: (np.array(rows, np.intp), np.array(values))
            for name, (rows, values) in found.items()
        }


_NOTHING: tuple[NDArray[np.intp], NDArray[Any]] = (np.empty(0, np.intp), np.empty(0))
