"""Filters of places: what fits, what does not, and what a filter that cannot be understood says."""

from datetime import UTC, date, datetime
from pathlib import PurePath

import numpy as np
import pytest

from place_search.core.memory import CEILING
from place_search.indexer import Edit, Edits, FilterError, Groups, parse_filter
from place_search.indexer.filters import FilterColumns

PLACES = [
    # id, path, taken, edit
    (2, "old town/gate.jpg", 1714521600.0, Edit(1, tags=("gate", "night"), fields={"floor": 1.0})),
    (3, "old town/inner/well.jpg", 1714608000.0, Edit(1, tags=("gate",), fields={"floor": 3.0})),
    (5, "old towns/mill.jpg", np.nan, Edit(2, fields={"seen": "2024-05-31", "open": True})),
    (7, "cafe\u0301/Grüße.jpg", np.nan, Edit(1, note="der A\u0308rger")),
    (8, "top.jpg", 1714608001.0, Edit(1, fields={"floor": -2.0, "label": "b"})),
    (9, "fort.jpg", np.nan, Edit(1, tags=("\u0958िला",), fields={"label": "e\u0301"})),
]
EDITS = Edits(
    {"floor": "number", "label": "text", "open": "boolean", "seen": "date"},
    {place[0]: place[3] for place in PLACES} | {4: Edit(1, tags=("gate",))},  # 4 is removed
)


@pytest.fixture
def columns() -> FilterColumns:
    paths = np.array([place[1].encode() for place in PLACES])
    columns = {"name": paths, "path": paths, "taken": np.array([place[2] for place in PLACES])}
    ids = np.array([place[0] for place in PLACES])
    groups = Groups(
        place_id=ids,
        group=np.array([2, 3, 3, 7, 8, 9]),
        held=np.zeros(len(ids), np.bool_),
        names={3: "Mühle"},
    )
    return FilterColumns(ids, columns.__getitem__, EDITS, groups)


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        ({}, [2, 3, 5, 7, 8, 9]),
        ({"q": "MÜHLE"}, [3, 5]),
        ({"folder": "old town"}, [2, 3]),
        ({"folder": "/old town/inner/"}, [3]),
        ({"folder": "old"}, []),
        ({"taken_from": "2024-05-02"}, [3, 8]),
        ({"taken_to": "2024-05-01"}, [2]),
        ({"taken_from": "2024-05-02", "taken_to": "9999-12-31"}, [3, 8]),
        ({"taken_from": "2024-05-01", "taken_to": "2024-05-02"}, [2, 3, 8]),
        ({"taken_from": "2024-05-02T02:00:01+02:00"}, [8]),
        ({"taken_to": "2024-05-02T00:00"}, [2, 3]),
        ({"tag": ["gate"]}, [2, 3]),
        ({"tag": ["gate", "night"]}, [2]),
        ({"tag": ["none has this"]}, []),
        ({"field": ["floor:ge:1"]}, [2, 3]),
        ({"field": ["floor:gt:-3", "floor:lt:3"]}, [2, 8]),
        ({"field": ["floor:le:-2"]}, [8]),
        ({"field": ["seen:ge:2024-01-01"]}, [5]),
        ({"field": ["open:eq:true"]}, [5]),
        ({"field": ["open:eq:false"]}, []),
        ({"field": ["label:eq:b"]}, [8]),
        # Some keyboards write a letter in one piece, some in two.
        ({"tag": ["\u0958िला"]}, [9]),
        ({"tag": ["क\u093cिला"]}, [9]),
        ({"field": ["label:eq:\u00e9"]}, [9]),
        ({"field": ["label:eq:e\u0301"]}, [9]),
        ({"folder": "café"}, [7]),  # as it is typed; macOS writes it in two pieces
        ({"folder": "cafe\u0301"}, [7]),
        ({"folder": PurePath("old town"), "taken_from": date(2024, 5, 2), "tag": None}, [3]),
        ({"taken_from": datetime(2024, 5, 2, 0, 0, 1, tzinfo=UTC)}, [8]),
        ({"tag": (tag for tag in ["gate"]), "folder": "old town"}, [2, 3]),
        ({"q": "CAFÉ"}, [7]),
        ({"q": " GRÜSSE"}, [7]),
        ({"q": "Ärger"}, [7]),
        ({"folder": "old town", "tag": ["gate"], "field": ["floor:eq:3"]}, [3]),
    ],
)
def test_what_fits(
    columns: FilterColumns, parameters: dict[str, list[str]], fits: list[int]
) -> None:
    criteria = parse_filter(EDITS, **parameters)  # type: ignore[arg-type]
    assert bool(criteria) == bool(parameters)
    assert [PLACES[row][0] for row in columns.rows(criteria)] == fits


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"taken_from": "May"}, "parameter taken_from is no date"),
        ({"taken_to": "2024-13-01"}, "parameter taken_to is no date"),
        ({"taken_from": "2024-05-02", "taken_to": "2024-05-01"}, "swap them"),
        ({"field": ["floor=3"]}, "name:comparison:value"),
        ({"field": ["floor:ne:3"]}, "eq, lt, le, gt, ge"),
        ({"field": ["floor:eq:high"]}, "floor takes a number"),
        ({"field": ["floor:eq:1_0"]}, "floor takes a number"),
        ({"field": ["floor:eq:nan"]}, "floor takes a number"),
        ({"field": ["seen:eq:yesterday"]}, "a date such as 2024-05-31"),
        ({"field": ["open:eq:1"]}, "open takes a boolean"),
        ({"field": ["colour:eq:red"]}, "no own field 'colour'"),
        ({"tag": ["a"] * 33}, "at most 32"),
        ({"taken_from": 2024}, "taken_from is no date"),
        ({"taken_to": b"2024-05-01"}, "taken_to is no date"),
        ({"folder": 5}, "folder is a text, not 5"),
        ({"q": 5}, "q is a text, not 5"),
        ({"tag": 5}, "tag is a list of texts, not 5"),
        ({"tag": [1]}, r"tag is a list of texts, not \[1\]"),
        ({"field": [("floor", "ge", 1)]}, "field is a list of texts, not"),
        ({"tag": "gate"}, r"tag is a list of texts; give \['gate'\]"),
        ({"field": "floor:ge:3"}, r"field is a list of texts; give \['floor:ge:3'\]"),
    ],
)
def test_what_cannot_be_understood(parameters: dict[str, list[str] | str], message: str) -> None:
    with pytest.raises(FilterError, match=message):
        parse_filter(EDITS, **parameters)  # type: ignore[arg-type]


def test_tags_are_counted_for_the_places_that_are_left(columns: FilterColumns) -> None:
    assert columns.tags() == {"gate": 2, "night": 1, "क\u093cिला": 1}


def test_names_are_ordered_whatever_their_case() -> None:
    ids = np.arange(4)
    names = np.array([b"Zoo", b"aachen", b"Berlin", b"berlin"])
    groups = Groups(ids, np.array([0, 1, 2, 2]), np.zeros(4, np.bool_), names={2: "yard"})
    columns = FilterColumns(ids, {"name": names}.__getitem__, Edits(), groups)
    assert columns.order("name", False).rows.tolist() == [1, 2, 3, 0]
    assert columns.order("name", True).rows.tolist() == [1, 2, 3, 0]
    assert columns.order("name", True).keys.tolist() == [b"aachen", b"yard", b"yard", b"zoo"]


def test_one_order_serves_both_directions(columns: FilterColumns) -> None:
    """Of a million places, each takes seconds and some hundred megabytes."""
    assert columns.order("name", False) is columns.order("-name", False)
    assert columns.order("name", True) is columns.order("-name", True)
    assert columns.order("name", True) is not columns.order("name", False)
    assert columns.order("taken", False) is not columns.order("-taken", False)  # unknown comes last
    nameless = FilterColumns(np.array([2, 3]), columns._column, Edits(), Groups())
    assert nameless.order("-name", True) is nameless.order("name", False)


def test_what_is_kept_of_all_places_can_be_given_up(columns: FilterColumns) -> None:
    def answers() -> list[list[int]]:
        filters = ({"q": "ärger"}, {"folder": "old town"}, {"taken_from": "2024-05-02"})
        found = [columns.rows(parse_filter(EDITS, **each)) for each in filters]
        return [rows.tolist() for rows in (*found, columns.order("name", True).rows)]

    columns.forget()
    bare = set(columns.__dict__)
    before = answers()
    kept = columns.order("name", True)
    assert columns in CEILING.caches
    columns.forget()
    assert set(columns.__dict__) - bare <= {"_edited_rows"}  # of edited places alone
    assert columns.order("name", True) is not kept
    assert answers() == before
