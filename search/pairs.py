"""Pairs of a photo and a place that looks like it, for programs that match local features."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from place_search.core.errors import PlaceSearchError
from place_search.core.files import first_bytes
from place_search.core.progress import Progress, silent
from place_search.indexer import Index, Place, PlacePhoto, Skipped, Source
from place_search.indexer.pipeline import skipped_name
from place_search.photos.decoding import EXTENSIONS
from place_search.search.engine import Engine
from place_search.search.errors import ParameterError
from place_search.search.folders.answers import Question, answer_photos
from place_search.search.parameters import MAX_K, require_k

PairFormat: TypeAlias = Literal["hloc", "colmap", "kapture"]
_KAPTURE = "# kapture format: 1.1\n# query_image, map_image, score\n"
MAX_PAIRS = MAX_K - 1
"""The largest number of places for a photo: the search finds one more, the photo itself."""


class PairError(PlaceSearchError):
    """Pairs that the reader of a pairs file could not read."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names of photos and of their places, relative to `root`: for each photo the best first.

    `skipped` photos cannot be read. `notes` on searches have the number of photos that they are of.
    """

    root: Path
    names: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def to_text(self, form: PairFormat) -> str:
        """The text of a pairs file of hloc or kapture, or of a match list of COLMAP.

        COLMAP matches a pair both ways, so that its list has each pair once. Names of kapture are
        relative to `sensors/records_data`, of places and photos each its own, if that is in them;
        its scores are 1 / rank, since the order of places may be that of their geometry.

        Raises:
            ParameterError: there is no such format.
            PairError: a name that these readers would misread.
        """
        if form not in get_args(PairFormat):
            raise ParameterError(
                f"There is no format {form!r:.40} for pairs; choose one of "
                f"{', '.join(get_args(PairFormat))}.",
                "form",
            )
        _require_valid_names((name for pair in self.names for name in pair), form)
        if form == "kapture":
            rows = (
                f"{_own_name(query)}, {_own_name(place)}, {1 / rank:g}\n"
                for query, pairs in groupby(self.names, itemgetter(0))
                for rank, (_, place) in enumerate(pairs, 1)
            )
            return _KAPTURE + "".join(rows)
        names = _without_repeats(self.names) if form == "colmap" else self.names
        return "".join(f"{query} {place}\n" for query, place in names)


def _own_name(name: str) -> str:
    """The name of a photo in its kapture folder."""
    return name.rpartition("sensors/records_data/")[2]


def _require_valid_names(names: Iterable[str], form: PairFormat) -> None:
    """Refuse names that a file of pairs cannot hold."""
    for name in dict.fromkeys(map(_own_name, names) if form == "kapture" else names):
        if skipped_name(name) != name:
            raise PairError(f"The name of '{skipped_name(name)}' is not UTF-8; rename the photo.")
        # hloc and COLMAP part names at spaces, kapture at commas; # begins a comment.
        parted = (
            "," in name or name != name.strip() if form == "kapture" else name.split() != [name]
        )
        if parted or name.startswith("#") or not name.isprintable():
            raise PairError(
                f"'{name}' cannot stand in a file for {form}, which parts names at "
                f"{'commas' if form == 'kapture' else 'spaces'} and leaves out those that begin "
                "with #; rename the photo."
            )


def is_pairs(path: Path) -> bool:
    """Whether a file holds pairs: its first line names two photos, or is the head of kapture's."""
    content = first_bytes(path)
    if content.startswith(_KAPTURE.encode()):
        return True
    names = content.partition(b"\n")[0].split()
    return len(names) == 2 and all(Path(os.fsdecode(n)).suffix.lower() in EXTENSIONS for n in names)


def find_pairs(
    engine: Engine,
    queries: Source,
    k: int,
    *,
    verify: bool | None = None,
    standardize: bool = False,
    root: Path | None = None,
    form: PairFormat | None = None,
    progress: Progress = silent,
) -> Pairs:
    """The `k` places of an index that look most like each photo, at most `MAX_PAIRS`.

    A photo that is in the index is not its own place. Names are relative to `root`, the folder that
    the reader of the pairs is given: by default the deepest one that contains both the photos and
    the places. `standardize` chooses places by the differences between the photos. With a `form`
    names that its files cannot hold are refused at once, not after the last search.

    Raises:
        PairError: photos or places that are not below the root, or such a name.
        ParameterError: k outside its range.
    """
    require_k(k, MAX_PAIRS)
    below = _root(engine.index, queries, root)
    pairs = Pairs(below)
    if form is not None:
        _require_valid_names((_relative_name(photo.path, below) for photo in queries.photos), form)
    total = len(queries.photos)
    question = Question(k + 1, verify, standardize=standardize)
    answers = answer_photos(engine, queries.photos, question, progress=progress)
    for count, answer in enumerate(answers, 1):
        if answer.result is None:
            pairs.skipped.append(Skipped(skipped_name(answer.photo.name), answer.error))
        else:
            pairs.notes.update(answer.result.query.notes)
            photo = answer.photo.path
            query, real_path = _relative_name(photo, below), os.path.realpath(photo)
            paths = (engine.index.place(row.place_id).path for row in answer.result.results)
            others = [path for path in paths if os.path.realpath(path) != real_path]
            places = [_relative_name(place, below) for place in others[:k]]
            if form is not None:
                _require_valid_names(places, form)
            pairs.names.extend((query, place) for place in places)
        progress("Searching", count, total)
    return pairs


def _root(index: Index, queries: Source, root: Path | None) -> Path:
    if root is not None:
        return root.resolve()
    first = index.place(int(index.place_ids[0])).path
    places = _common_folder(index.manifest.root, first, index.places())
    photos = _common_folder(queries.root, queries.photos[0].path, queries.photos)
    common = Path(os.path.commonpath([photos, places]))
    if common == Path(common.anchor):
        raise PairError(
            f"{photos} and {places} have no folder in common that could hold the photos of both; "
            "name one with --root."
        )
    return common


def _common_folder(folder: Path, first: Path, photos: Iterable[Place | PlacePhoto]) -> Path:
    """The folder, or, where its list names photos of other folders, their common parent."""
    if _normalized(first).is_relative_to(folder):
        return folder
    return Path(os.path.commonpath({_normalized(photo.path).parent for photo in photos}))


def _normalized(path: Path) -> Path:
    # Lists may name photos by '..'.
    return Path(os.path.normpath(path))


def _relative_name(path: Path, root: Path) -> str:
    plain = _normalized(path)
    if not plain.is_relative_to(root):
        raise PairError(
            f"{plain} is not below {root}; name with --root the folder that holds both the photos "
            "and the places, as the reader of the pairs is given it."
        )
    return plain.relative_to(root).as_posix()


def _without_repeats(names: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    seen = set()
    for pair in names:
        either = frozenset(pair)
        if either not in seen:
            seen.add(either)
            yield pair
