"""The doctor's checks of files: missing files, unreadable files, duplicates."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np

from place_search.core.files import open_regular, sha256_of
from place_search.core.text import counted
from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.indexer import SourceError, open_source
from place_search.photos import PhotoError, decode_photo
from place_search.photos.decoding import MAX_PIXELS

HASHED = 4000
"""The largest number of files of equal size whose content is compared."""
HASHED_BYTES = 1 << 16
"""The bytes at the start of files by which most of other content are told apart."""
OPENED = 100
"""The number of photos that are decoded: where 3 % are broken, 100 photos show that with a
probability of 95 %."""


def check_missing(truth: GroundTruth) -> list[Finding]:
    """Photos of the truth that do not exist, with a hint at where they may be."""
    missing = set(truth.missing)
    if not missing:
        return []
    database = sum(name in missing for name in truth.database)
    queries = sum(name in missing for name in truth.queries)
    remedy = (
        f"{database} of {len(truth.database)} database photos and {queries} of "
        f"{len(truth.queries)} queries are not under {truth.root}; {_hint(truth)}."
    )
    return [Finding("missing", len(truth.missing), truth.missing[0], remedy)]


def _hint(truth: GroundTruth) -> str:
    """The remedy for missing photos: the right folder, where photos have other paths below it."""
    missing = PurePosixPath(truth.missing[0])
    try:
        photos = [PurePosixPath(photo.name) for photo in open_source(truth.root).photos]
    except SourceError:
        return "get the data set's photos, or name the folder that holds them with --root"
    depth = len(missing.parts)
    for path in photos:
        if path.stem != missing.stem:
            continue
        if path.parts[-depth:-1] == missing.parts[:-1]:
            below = truth.root.joinpath(*path.parts[:-depth])
            return f"there is {truth.root / path}: use --root {below}"
        return f"there is {truth.root / path}: mend --root, --queries-dir or the list to fit"
    if unlisted := find_unlisted(truth):
        return (
            f"{counted(len(unlisted), 'photo')} there, such as '{unlisted[0]}', would be left out: "
            "this may be another data set, so name its folder with --root"
        )
    return "the data set is there in part: get the rest of it"


def find_unlisted(truth: GroundTruth) -> list[str]:
    """Photos under the root that the truth does not name."""
    listed = {os.path.normpath(name) for name in truth.photos}
    try:
        photos = open_source(truth.root).photos
    except SourceError:
        return []
    return [photo.name for photo in photos if photo.name not in listed]


def _eighth(width: int, height: int) -> tuple[int, int]:
    """An eighth of a photo's size, at which it is decoded quickly."""
    return width // 8, height // 8


def check_readable(paths: Sequence[Path], max_pixels: int = MAX_PIXELS) -> list[Finding]:
    """Decode photos chosen at random with a fixed seed; damage may repeat at regular steps."""
    broken: list[str] = []
    rows = np.random.default_rng(0).permutation(len(paths))[:OPENED]
    for row in np.sort(rows):
        try:
            decode_photo(paths[row], target_size=_eighth, max_pixels=max_pixels)
        except PhotoError as error:
            broken.append(str(error))
    remedy = (
        f"Of {len(rows)} photos that were tried these cannot be read; mend what is said of the "
        "first, or get them again."
    )
    return findings_of("unreadable", broken, remedy)


def check_duplicates(truth: GroundTruth) -> list[Finding]:
    """Names listed twice, and queries whose file is a copy of a database photo."""
    database, queries = set(truth.database), set(truth.queries)
    own = {
        query: {query, *(truth.database[row] for row in rows.tolist())}
        for query, rows in zip(truth.queries, truth.own_rows, strict=True)
    }
    copies: list[str] = []
    for group in _same_content(
        {name: truth.path(name) for name in truth.photos}, database, queries
    ):
        places = [name for name in group if name in database]
        for query in (name for name in group if name in queries):
            copies += [f"{query} = {place}" for place in places if place not in own[query]][:1]
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


def _same_content(
    files: Mapping[str, Path], database: AbstractSet[str], queries: AbstractSet[str]
) -> Iterator[list[str]]:
    """Groups of names whose files have equal content, of sizes that database and queries share."""
    sizes: defaultdict[int, list[str]] = defaultdict(list)
    for name, path in files.items():
        with suppress(OSError):
            sizes[path.stat().st_size].append(name)
    suspects = [
        name
        for names in sizes.values()
        if len(names) > 1 and not (database.isdisjoint(names) or queries.isdisjoint(names))
        for name in names
    ]
    starts: defaultdict[tuple[int, bytes], list[str]] = defaultdict(list)
    for name in suspects[:HASHED]:
        with suppress(OSError), open_regular(files[name]) as stream:
            size = os.fstat(stream.fileno()).st_size
            starts[size, hashlib.sha256(stream.read(HASHED_BYTES)).digest()].append(name)
    for names in starts.values():
        contents: defaultdict[str, list[str]] = defaultdict(list)
        # Photos without compression may begin with equal rows, as of a night sky.
        for name in names if len(names) > 1 else ():
            with suppress(OSError):
                contents[sha256_of(files[name])].append(name)
        yield from (group for group in contents.values() if len(group) > 1)
