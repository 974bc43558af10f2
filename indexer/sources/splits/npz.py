"""Patch-NetVLAD's splits: positions in an `.npz` file, names in two text files beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.files import open_regular
from place_search.core.tables import read_lines
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.split import Split, read_name

_SETS = ("_train", "_val", "_test")
_LISTS = "dataset_imagenames"


def read(file: Path) -> Split:
    """Read `utmQ`, `utmDb` (N, 2) and `posDistThr`, and the names of the photos.

    The names are arrays `qImageFns` and `dbImageFns` of the file, or the lines of
    `STEM_imageNames_query.txt` and `STEM_imageNames_index.txt`; these lists lie beside the file
    or in the sibling folder `dataset_imagenames`, with STEM with or without its `_test`.

    Raises:
        SourceError: another kind of file, or no list of names.
    """
    try:
        with open_regular(file) as stream, np.load(stream, allow_pickle=False) as arrays:
            table: dict[str, Any] = {key: arrays[key] for key in arrays.files}
    except FileNotFoundError:
        raise SourceError(f"{file} does not exist; check the path.") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # zip files can be broken in many ways
        raise SourceError(
            f"{file} is not an .npz file of plain arrays, or is damaged; copy it again."
        ) from error
    missing = [key for key in ("utmQ", "utmDb", "posDistThr") if key not in table]
    if missing:
        raise SourceError(f"{file} lacks the array {missing[0]}; it is no split.")
    return Split(
        file=file,
        database=_names(file, table.get("dbImageFns"), "index"),
        database_utm=np.asarray(table["utmDb"], dtype=np.float64),
        queries=_names(file, table.get("qImageFns"), "query"),
        queries_utm=np.asarray(table["utmQ"], dtype=np.float64),
        radius_m=float(np.asarray(table["posDistThr"]).ravel()[0]),
    )


def _names(file: Path, names: Any, role: str) -> tuple[str, ...]:
    if names is not None:
        try:
            return tuple(read_name(name) for name in names.ravel())
        except UnicodeDecodeError as error:
            raise SourceError(f"{file} has a name that is not UTF-8 ({error}).") from error
    lists = list(_lists(file, role))
    for path in lists:
        if path.is_file():
            return tuple(read_name(line) for line in read_lines(path, error=SourceError))
    raise SourceError(f"{file} names no photos; put their list beside it as {lists[0].name}.")


def _lists(file: Path, role: str) -> Iterator[Path]:
    stems = [file.stem]
    stems += [file.stem.removesuffix(end) for end in _SETS if file.stem.endswith(end)]
    for folder in (file.parent, file.parent.parent / _LISTS):
        for stem in stems:
            yield folder / f"{stem}_imageNames_{role}.txt"
