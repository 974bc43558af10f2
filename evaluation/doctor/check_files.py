"""The doctor's look at files: missing ones, those that cannot be read, duplicates."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np

from place_search.core.files import open_regular
from place_search.core.text import counted
from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.indexer import SourceError, open_source
from place_search.photos import PhotoError, decode_photo
from place_search.photos.decoding import MAX_PIXELS

HASHED = 4000
"""Files of equal size that are compared at most."""
HASHED_BYTES = 1 << 16
OPENED = 100
"""Photos that are opened: where 3 % are broken, one is among so many with a probability of 95 %."""


def check_missing(truth: GroundTruth) -> list[Finding]:
    """Photos of the truth that do not exist, with a hint where they may be."""
    gone = set(truth.missing)
    if not gone:
        return []
    database = sum(name in gone for name in truth.database)
    queries = sum(name in gone for name in truth.queries)
    remedy = (
        f"{database} of {len(truth.database)} database photos and {queries} of "
        f"{len(truth.queries)} queries are not under {truth.root}; {_hint(truth)}."
    )
    return [Finding("missing", len(truth.missing), truth.missing[0], remedy)]


def _hint(truth: GroundTruth) -> str:
    """What to do about missing photos: where a folder holds them under other paths, that."""
    missing = PurePosixPath(truth.missing[0])
    try:
        there = [PurePosixPath(photo.name) for photo in open_source(truth.root).photos]
    except SourceError:
        return "get the data set's photos, or name the folder that holds them with --root"
    depth = len(missing.parts)
    for path in there:
        if path.stem != missing.stem:
            continue
        if path.parts[-depth:-1] == missing.parts[:-1]:
            below = truth.root.joinpath(*path.parts[:-depth])
            return f"there is {truth.root / path}: use --root {below}"
        return f"there is {truth.root / path}: mend --root or --queries-dir to fit"
    if others := find_unlisted(truth):
        return (
            f"{counted(len(others), 'photo')} there, such as '{others[0]}', would be left out: "
            "this may be another data set, so name its folder with --root"
        )
    return "the data set is there in part: get the rest of it"


def find_unlisted(truth: GroundTruth) -> list[str]:
    """Photos under the root that the truth does not name."""
    known = {os.path.normpath(name) for name in truth.photos}
    try:
        there = open_source(truth.root).photos
    except SourceError:
        return []
    return [photo.name for photo in there if photo.name not in known]


def _eighth(width: int, height: int) -> tuple[int, int]:
    """A size that a photo is decoded at quickly."""
    return width // 8, height // 8


def check_readable(paths: Sequence[Path], max_pixels: int = MAX_PIXELS) -> list[Finding]:
    """Some photos are decoded, chosen at random and always the same: damage may come in steps."""
    broken: list[str] = []
    chosen = np.random.default_rng(0).permutation(len(paths))[:OPENED]
    for row in np.sort(chosen):
        try:
            decode_photo(paths[row], target_size=_eighth, max_pixels=max_pixels)
        except PhotoError as error:
            broken.append(str(error))
    remedy = (
        f"Of {len(chosen)} photos that were tried these cannot be read; mend what is said of the "
        "first, or get them again."
    )
    return findings_of("unreadable", broken, remedy)


def check_duplicates(truth: GroundTruth) -> list[Finding]:
    """Names listed twice, and queries whose file is a copy of a database photo."""
    database, queries = set(truth.database), set(truth.queries)
    copies: list[str] = []
    for group in _same_content({name: truth.path(name) for name in truth.photos}):
        places = [name for name in group if name in database]
        pairs = ((query, next((p for p in places if p != query), None)) for query in group)
        copies += [f"{query} = {p}" for query, p in pairs if p is not None and query in queries]
    return [
        *findings_of(
            "listed-twice",
            truth.listed_twice,
            f"{truth.name} lists these photos more than once, so they count more than once; leave "
            "one entry of each.",
        ),
        *findings_of(
            "duplicate-photos",
            copies,
            "These queries are copies of database photos and are found without any skill; take "
            "one of each pair out.",
        ),
    ]


def _same_content(files: Mapping[str, Path]) -> Iterator[list[str]]:
    """Groups of names whose files are equal; of very many only some are compared."""
    sizes: defaultdict[int, list[str]] = defaultdict(list)
    for name, path in files.items():
        with suppress(OSError):
            sizes[path.stat().st_size].append(name)
    suspects = [name for names in sizes.values() if len(names) > 1 for name in names]
    contents: defaultdict[tuple[int, bytes], list[str]] = defaultdict(list)
    for name in suspects[:HASHED]:
        with suppress(OSError), open_regular(files[name]) as stream:
            size = os.fstat(stream.fileno()).st_size
            contents[size, hashlib.sha256(stream.read(HASHED_BYTES)).digest()].append(name)
    return (names for names in contents.values() if len(names) > 1)
