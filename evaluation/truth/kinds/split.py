"""The truth of a split file: positives are all database photos within its radius."""

import os
from pathlib import Path

from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.positives import within
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.indexer import PhotoFiles, Split, read_split
from place_search.indexer.sources.split import require_inside

QUERIES_DIRS = ("queries_real", "queries")


def reads(files: TruthFiles) -> bool:
    """Whether a split is named, with the folder of its photos."""
    return files.split is not None and files.root is not None


def read(files: TruthFiles, lenient: bool) -> GroundTruth:
    """The truth of the split that is named."""
    assert files.split is not None  # noqa: S101 - reads has seen to it
    assert files.root is not None  # noqa: S101
    return read_split_truth(
        files.split, files.root, files.queries_dir, files.radius_m, lenient=lenient
    )


def read_split_truth(
    file: Path,
    root: Path,
    queries_dir: str | None = None,
    radius_m: float | None = None,
    *,
    lenient: bool = False,
) -> GroundTruth:
    """Read a `.mat` or `.npz` split whose database photos are under `root`.

    The queries of a `.mat` split are under the folder `queries_dir` of `root`, by default
    `queries_real` or `queries`, whichever exists. `radius_m` replaces the split's own radius.
    Photos that do not exist are listed in the truth as `missing`; when `lenient`, the folder
    itself may be missing.

    Raises:
        SourceError: not a split, or one that contradicts itself.
        TruthError: there is no such root, or it lacks the folder that `queries_dir` names.
    """
    split = read_split(file)
    if not lenient and not root.is_dir():
        raise TruthError(f"The photo folder {root} does not exist; name another with --root.")
    if not lenient and queries_dir is not None and not (root / queries_dir).is_dir():
        raise TruthError(
            f"{root} has no folder '{queries_dir}' for the queries; name it with --queries-dir."
        )
    prefix = _queries_prefix(split, root, queries_dir)
    require_inside(file, root, split.database)
    require_inside(file, root, split.queries, prefix)
    files = PhotoFiles(root)
    database, no_database = _find(files, split.database)
    queries, no_queries = _find(files, [prefix + name for name in split.queries])
    radius = split.radius_m if radius_m is None else radius_m
    return GroundTruth(
        root=root,
        database=database,
        queries=queries,
        positives=within(split.database_utm, split.queries_utm, radius),
        name=file.stem,
        protocol=_protocol(split),
        radius_m=radius,
        database_metres=split.database_utm,
        query_metres=split.queries_utm,
        database_times=split.database_times,
        query_times=split.query_times,
        missing=tuple(dict.fromkeys((*no_database, *no_queries))),
        warnings=split.warnings,
    )


def _queries_prefix(split: Split, root: Path, queries_dir: str | None) -> str:
    if queries_dir is not None:
        return f"{Path(queries_dir).as_posix()}/"
    if split.queries_below_root:
        return ""
    folders = [name for name in QUERIES_DIRS if (root / name).is_dir()]
    return f"{(folders or QUERIES_DIRS)[0]}/"


def _find(
    files: PhotoFiles, names: "list[str] | tuple[str, ...]"
) -> tuple[tuple[str, ...], list[str]]:
    """The files of the listed names, and the names without a file, which stand for themselves."""
    existing = [files.find(name) for name in names]
    missing = [name for name, file in zip(names, existing, strict=True) if file is None]
    # Each photo gets one name, however the list spells its path.
    root = os.path.join(os.path.normpath(files.root.absolute()), "")  # noqa: PTH118
    file_names = []
    for name, file in zip(names, existing, strict=True):
        path = os.path.normpath(os.path.join(root, file or name))  # noqa: PTH118 - 90,000 times
        file_names.append(path.removeprefix(root) if path.startswith(root) else file or name)
    return tuple(file_names), missing


def _protocol(split: Split) -> str:
    if split.database_times is not None and split.query_times is not None:
        return "timestamp"
    return "tokyo-12" if split.file.stem.lower().startswith("tokyo247") else "raw"
