"""Filters of places by folder, date, tag and own fields, answered from columns in memory.

A filter gives a mask over the rows of an index. Columns are made at the first access: for a million
places that takes about a second, and each later filter a few milliseconds.
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

from place_search.core.memory import CEILING
from place_search.core.text import composed, folded
from place_search.indexer.errors import FieldError, FilterError
from place_search.indexer.sources.kept_views import path_in_source
from place_search.indexer.storage.edits import Edits, FieldValue, parse_field_value
from place_search.indexer.storage.groups import Groups

COMPARISONS = ("eq", "lt", "le", "gt", "ge")
MAX_CONDITIONS = 32
"""The number of tags and fields that a filter may name."""

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in COMPARISONS
}


class FieldCondition(NamedTuple):
    """A condition on an own field: its name, one of `COMPARISONS`, and the value to compare."""

    name: str
    comparison: str
    value: FieldValue


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on places; a place must fit all of them.

    The photo's path lies in `folder`, relative to the indexed folder; the photo was taken from
    `taken_from` on and before `taken_before`, in seconds since 1970; the place has each of the
    `tags`, its own fields fit all `conditions`, and its name, its note, a tag or the name of its
    group contains `text` in any case. An unknown value never fits.
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

    `taken_from` and `taken_to` are dates or times, both included, also as text in ISO format; a
    time without a zone is in UTC. Each `field` is `name:comparison:value`. The `edits` of the index
    declare the own fields and their types.

    Raises:
        FilterError: a text cannot be read so.
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


def _texts(name: str, values: Iterable[str] | None) -> list[str]:
    if isinstance(values, str):
        raise FilterError(f"The parameter {name} is a list of texts; give ['{values[:60]}'].", name)
    texts = [] if values is None else list(values) if isinstance(values, Iterable) else [values]
    if not all(isinstance(text, str) for text in texts):
        raise FilterError(
            f"The parameter {name} is a list of texts, not {repr(values)[:60]}.", name
        )
    return texts


def _seconds(name: str, time: str | date, *, whole_day: bool = False) -> float:
    """The first moment of a date or time; with `whole_day` the first moment after it."""
    text = time.isoformat() if isinstance(time, date) else time
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
    name, _, condition = text.partition(":")
    comparison, colon, value = condition.partition(":")
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
    """Rows in an order, and their ascending keys: bytes of names, or numbers."""

    rows: NDArray[np.intp]
    keys: NDArray[Any]


SORTS = ("id", "-id", "name", "-name", "taken", "-taken")
"""The orders of places; a leading - stands for descending order."""


class FilterColumns:
    """The columns of one version of an index that filters are answered from. Thread-safe."""

    def __init__(
        self,
        place_ids: NDArray[np.int64],
        column: Callable[[str], NDArray[Any]],
        edits: Edits,
        groups: Groups,
    ) -> None:
        """Columns are by ascending place id, as rows are; `column` reads a column of the shards.

        `groups` are those of these places alone.
        """
        self._place_ids, self._column, self._edits = place_ids, column, edits
        self._groups = groups
        self._orders: dict[tuple[str, bool], SortedRows] = {}
        CEILING.caches.add(self)

    def forget(self) -> None:
        """Let go of the columns whose memory grows with the places; the next filter makes them."""
        self._orders.clear()
        for column in ("_capture_times", "_texts", "_folders"):
            self.__dict__.pop(column, None)

    @cached_property
    def _capture_times(self) -> NDArray[np.float64]:
        return self._column("taken")

    def mask(self, criteria: Filter) -> NDArray[np.bool_]:
        """Flags of the rows that fit a filter, (N,) bool."""
        fits = np.ones(len(self._place_ids), np.bool_)
        if criteria.folder:
            fits &= self._in_folder(criteria.folder)
        if criteria.taken_from is not None:
            fits &= self._capture_times >= criteria.taken_from
        if criteria.taken_before is not None:
            fits &= self._capture_times < criteria.taken_before
        for tag in criteria.tags:
            fits &= self._mask_of(self._rows_of_tag.get(tag, np.empty(0, np.intp)))
        for name, comparison, value in criteria.conditions:
            rows, values = self._values_of_field.get(name, _NOTHING)
            fits &= self._mask_of(
                rows[_OPERATORS[comparison](values, value)] if len(rows) else rows
            )
        if criteria.text:
            fits &= np.array([criteria.text in text for text in self._texts], np.bool_)
        return fits

    def order(self, sort: str, spots: bool) -> "SortedRows":
        """All rows in the order of one of `SORTS`; among equal keys the lower id comes first.

        With `spots` a place is sorted by the name of its group, if the group has a name.
        """
        # Descending names and ids are in the same order; so are spots of which none has a name.
        key = (
            sort if sort.endswith("taken") else sort.removeprefix("-"),
            spots and sort.endswith("name") and bool(self._groups.names),
        )
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = self._sort(*key)
        return order

    def _sort(self, sort: str, spots: bool) -> "SortedRows":
        if sort.endswith("id"):
            return SortedRows(np.arange(len(self._place_ids)), self._place_ids)
        keys: NDArray[Any]
        if sort.endswith("taken"):
            unknown = -np.inf if sort.startswith("-") else np.inf  # comes last
            keys = np.where(np.isnan(self._capture_times), unknown, self._capture_times)
        else:
            names = self._names_of_spots() if spots else self._shown_names()
            # Lower case of A to Z, for millions of names at once.
            keys = np.frombuffer(names.tobytes().lower(), names.dtype)
        rows = np.argsort(keys, kind="stable")
        return SortedRows(rows, keys[rows])

    def _shown_names(self) -> NDArray[np.bytes_]:
        """The name of each row: the edited name, else that of its shard."""
        names = self._column("name").tolist()
        for row, place_id in self._edited_rows:
            if name := self._edits.by_place[place_id].name:
                names[row] = name.encode()
        return np.array(names, np.bytes_)

    def _names_of_spots(self) -> NDArray[np.bytes_]:
        """The name of each row's group, else its own."""
        if not self._groups.names:
            return self._shown_names()
        names = self._shown_names().tolist()
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
        """The text of each row in which `Filter.text` is searched."""
        texts = [folded(name.decode()) for name in self._shown_names().tolist()]
        for row, place_id in self._edited_rows:
            edit = self._edits.by_place[place_id]
            edit_texts = (edit.note, *edit.tags)
            texts[row] = "\n".join([texts[row], *map(folded, edit_texts)])
        for rows, name in self._named_groups():
            for row in rows:
                texts[row] = f"{texts[row]}\n{folded(name)}"
        return texts

    def rows(self, criteria: Filter) -> NDArray[np.intp]:
        """The ascending rows that fit a filter."""
        return np.flatnonzero(self.mask(criteria))

    def tags(self) -> dict[str, int]:
        """The number of places with each tag, by tag."""
        return {tag: len(self._rows_of_tag[tag]) for tag in sorted(self._rows_of_tag)}

    def _mask_of(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._place_ids), np.bool_)
        mask[rows] = True
        return mask

    def _in_folder(self, folder: str) -> NDArray[np.bool_]:
        names, numbers = self._folders
        name = composed(folder)
        # 0 follows on / in the order of characters.
        first, end = bisect_left(names, f"{name}/"), bisect_left(names, f"{name}0")
        return (numbers >= first) & (numbers < end)

    @cached_property
    def _folders(self) -> tuple[list[str], NDArray[np.intp]]:
        """All folders of photos, sorted and ending in /, and the number of each row's folder."""
        numbers: dict[bytes, int] = {}
        paths = self._column("path").tolist()
        folders = (path_in_source(path).rpartition(b"/")[0] for path in paths)
        column = np.fromiter(
            (numbers.setdefault(folder, len(numbers)) for folder in folders), np.intp, len(paths)
        )
        names = [f"{composed(name.decode('utf-8', 'surrogateescape'))}/" for name in numbers]
        order = sorted(range(len(names)), key=names.__getitem__)
        return [names[number] for number in order], np.argsort(order)[column]

    @cached_property
    def _edited_rows(self) -> list[tuple[int, int]]:
        """Row and id of each edited place of the index, by ascending id."""
        return self._edits.rows(self._place_ids)

    @cached_property
    def _rows_of_tag(self) -> dict[str, NDArray[np.intp]]:
        """The rows with each tag."""
        rows_of_tag: dict[str, list[int]] = {}
        for row, place_id in self._edited_rows:
            for tag in self._edits.by_place[place_id].tags:
                rows_of_tag.setdefault(composed(tag), []).append(row)
        return {tag: np.array(rows, np.intp) for tag, rows in rows_of_tag.items()}

    @cached_property
    def _values_of_field(self) -> dict[str, tuple[NDArray[np.intp], NDArray[Any]]]:
        """The rows with a value, and their values, by own field."""
        by_field: dict[str, tuple[list[int], list[FieldValue]]] = {}
        for row, place_id in self._edited_rows:
            for name, value in self._edits.by_place[place_id].fields.items():
                rows, values = by_field.setdefault(name, ([], []))
                rows.append(row)
                values.append(_comparable(value))
        return {
            name: (np.array(rows, np.intp), np.array(values))
            for name, (rows, values) in by_field.items()
        }


_NOTHING: tuple[NDArray[np.intp], NDArray[Any]] = (np.empty(0, np.intp), np.empty(0))
