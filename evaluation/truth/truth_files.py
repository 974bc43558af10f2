"""The files that name the ground truth of an evaluation."""

from dataclasses import dataclass
from pathlib import Path

from place_search.core.tables import number_of
from place_search.indexer import holds_index


def data_and_index(data: Path | None, index: Path | None) -> tuple[Path | None, Path | None]:
    """The photos and the index to examine, where `data` may be the index itself."""
    if index is None and data is not None and holds_index(data):
        return None, data
    return data, index


@dataclass(frozen=True, slots=True)
class TruthFiles:
    """The files of a truth: one of `split`, `truth`, `data`, or `database` with `queries`.

    `root` is the folder that a split's or a truth CSV's paths are under, `queries_dir` the folder
    of a split's queries below `root`, `radius_m` the largest distance of a positive. In an
    `open_set` all queries may be of places outside the database.
    """

    data: Path | None = None
    split: Path | None = None
    truth: Path | None = None
    root: Path | None = None
    queries_dir: str | None = None
    database: Path | None = None
    queries: Path | None = None
    radius_m: float | None = None
    open_set: bool = False

    def why_not(self, *, index: Path | None = None) -> str:
        """A sentence on the fault of this choice of files, '' where they fit.

        Beside an `index` to examine there need be none.
        """
        if index is not None and self == TruthFiles():
            return ""
        kinds = (self.data, self.split, self.truth, self.queries)
        count = sum(kind is not None for kind in kinds)
        if count == 0:
            return "Say what is right: a folder, --split, --truth, or --database with --queries."
        if count > 1:
            return "Give one of a folder, --split, --truth, and --queries; they exclude each other."
        if self.root is None and (self.split or self.truth):
            return "--split and --truth need --root, the folder that their photos are under."
        if self.root is not None and not (self.split or self.truth):
            return "--root only works with --split or --truth."
        if self.queries is not None and self.database is None:
            return "--queries needs --database: the photos to search among."
        if self.queries_dir is not None and self.split is None:
            return "--queries-dir only works with --split."
        if self.database is not None and self.truth is None and self.queries is None:
            return "--database only works with --truth or --queries."
        if self.radius_m is not None and self.truth is not None:
            return "--radius-m does not work with --truth, which names the positives itself."
        if self.radius_m is not None and not number_of(self.radius_m) >= 0:
            return (
                f"The radius in metres is {self.radius_m!r:.40}, but it must be a finite number "
                "from 0."
            )
        return ""
