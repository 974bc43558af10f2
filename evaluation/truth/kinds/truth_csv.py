"""The truth as a CSV file: the columns `query,positives`."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from place_search.core.tables import open_table
from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.indexer import PhotoFiles, open_source


def reads(files: TruthFiles) -> bool:
    """Whether a truth CSV is named, with the folder of its photos."""
    return files.truth is not None and files.root is not None


def read(files: TruthFiles, lenient: bool) -> GroundTruth:
    """The truth CSV that is named."""
    assert files.truth is not None  # noqa: S101 - reads has seen to it
    assert files.root is not None  # noqa: S101
    return read_truth_csv(
        files.truth, files.root, files.database, lenient=lenient, open_set=files.open_set
    )


def read_truth_csv(
    truth: Path,
    root: Path,
    database: Path | None = None,
    *,
    lenient: bool = False,
    open_set: bool = False,
) -> GroundTruth:
    """Read a CSV with the columns `query,positives` (`;` between positives, paths under `root`).

    A query on several rows has the positives of all of them. `database` is a folder of photos or
    a CSV with the column `path`, whose paths are under `root`; its own path may be relative to
    `root`, too. Without `database`, all positives are the database, in the order they first appear.
    When `lenient`, photos that do not exist are listed in the truth as `missing`. In an `open_set`
    all queries may be of places outside the database.

    Raises:
        TruthError: a file that is missing or lacks a column, a photo that does not exist or lies
            outside `root` or the database, no queries, a query with positives in one row and
            without any in another, no positives at all.
    """
    if not lenient and not root.is_dir():
        raise TruthError(f"The photo folder {root} does not exist; name another with --root.")
    root = _absolute(root)
    files = PhotoFiles(root)
    missing: dict[str, None] | None = {} if lenient else None
    listed: dict[str, dict[str, int]] = {}
    empty_rows: dict[str, int] = {}
    with open_table(truth, ("query", "positives"), error=TruthError) as table:
        for number, row in table:
            query = _photo_name(files, row["query"], f"{truth}, row {number}", missing)
            positives = listed.setdefault(query, {})
            names = _split_positives(root, row["positives"])
            if not names:
                empty_rows[query] = number
            for text in names:
                name = _photo_name(files, text, f"{truth}, row {number}", missing)
                positives.setdefault(name, number)
    if not listed:
        raise TruthError(f"{truth} lists no queries; give it a row for each query photo.")
    for query, number in empty_rows.items():
        if listed[query]:
            positives_row = min(listed[query].values())
            raise TruthError(
                f"{truth}, row {number}: '{query}' has no positives, but it has some in row "
                f"{positives_row}; take out the row that is wrong."
            )

    searched = _first_seen(listed)
    left_out: tuple[str, ...] = ()
    if database is not None:
        searched, left_out = _database_names(database, files, missing)
    row_of = {name: row for row, name in enumerate(searched)}
    for query, positives in listed.items():
        for name, number in positives.items():
            if name not in row_of and name != query:
                raise TruthError(
                    f"{truth}, row {number}: the positive '{name}' is not in the database "
                    f"{database}; add it there or take it out of the row."
                )
    right = tuple(
        np.array(sorted(row_of[name] for name in positives if name != query), dtype=np.int64)
        for query, positives in listed.items()
    )
    if not any(rows.size for rows in right):
        _require_open_set(truth, itself=any(listed.values()), searched=searched, allowed=open_set)
    return GroundTruth(
        root,
        searched,
        tuple(listed),
        right,
        name=truth.stem,
        missing=(*(missing or ()),),
        warnings=left_out,
    )


def _require_open_set(
    truth: Path, *, itself: bool, searched: tuple[str, ...], allowed: bool
) -> None:
    """Refuse a truth in which no answer can be right, unless that is `allowed`."""
    but = " but the query itself, which is no answer" if itself else ""
    fault = f"{truth} names no positive for any query{but}"
    if not searched:
        raise TruthError(
            f"{fault}, so there is nothing to search; name the photos: --database DIR."
        )
    if not allowed:
        raise TruthError(
            f"{fault}, so no answer can be right; what is called found all the same is measured "
            "with --open-set."
        )


def _split_positives(root: Path, text: str) -> list[str]:
    """The names in a field; a name that holds `;` is in quotation marks, or alone in its field."""
    if ";" in text and _is_file(root / text):
        return [text]
    names = next(csv.reader([text], delimiter=";", skipinitialspace='"' in text), [])
    return [name for name in names if name.strip()]


def _is_file(path: Path) -> bool:
    """Whether a file exists; False where a long list of positives is too long for a file's name."""
    try:
        return path.is_file()
    except OSError:
        return False


def _first_seen(listed: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for positives in listed.values() for name in positives))


def _database_names(
    database: Path, files: PhotoFiles, missing: dict[str, None] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The photos of a folder or a list, and warnings on folders that may not be read."""
    root = files.root
    if not database.exists() and (root / database).exists():
        database = root / database
    if database.is_dir():
        folder = root / _relative_name(root, database, "--database")
        source = open_source(database)
        names = [(folder / photo.name).relative_to(root) for photo in source.photos]
        return tuple(name.as_posix() for name in names), source.left_unread
    with open_table(database, ("path",), error=TruthError) as table:
        listed = dict.fromkeys(
            _photo_name(files, row["path"], f"{database}, row {number}", missing)
            for number, row in table
        )
    if not listed:
        raise TruthError(f"{database} lists no photos; give it a row for each database photo.")
    return tuple(listed), ()


def _photo_name(
    files: PhotoFiles, text: str, location: str, missing: dict[str, None] | None
) -> str:
    """The name of a listed photo, which must be a file under `root` or else goes to `missing`."""
    root = files.root
    if not text.strip() or "\0" in text:
        raise TruthError(f"{location}: the photo's path is empty; give a path under {root}.")
    text = text if _is_file(root / text) else text.strip()
    name = _relative_name(root, root / text, location)
    file = files.find(name)
    if file is None and missing is None:
        raise TruthError(f"{location}: there is no photo '{text}' under {root}; check both.")
    if file is None and missing is not None:
        missing[name] = None
    return file or name


def _relative_name(root: Path, path: Path, location: str) -> str:
    """The posix path of `path` relative to `root`, with links resolved only where necessary."""
    for target, base in ((_absolute(path), root), (path.resolve(), root.resolve())):
        if target.is_relative_to(base):
            return target.relative_to(base).as_posix()
    raise TruthError(
        f"{location}: '{path}' is not under {root}; name a root that holds all photos."
    )


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
