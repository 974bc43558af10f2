"""The truth from whatever was given: a split, an `@` folder, a truth CSV, photos with positions."""

from dataclasses import dataclass
from pathlib import Path

from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.csv_truth import read_truth_csv
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.places_truth import benchmark_folders, read_places_truth
from place_search.evaluation.truth.split_truth import read_split_truth


@dataclass(frozen=True, slots=True)
class TruthFiles:
    """Where the truth is: one of `split`, `truth`, `data`, or `database` with `queries`.

    `root` is the folder that a split's or a truth CSV's paths are under, `queries_dir` the folder
    of a split's queries below it, `radius_m` how near a positive is.
    """

    data: Path | None = None
    split: Path | None = None
    truth: Path | None = None
    root: Path | None = None
    queries_dir: str | None = None
    database: Path | None = None
    queries: Path | None = None
    radius_m: float | None = None

    def why_not(self) -> str:
        """What is wrong with this choice of options, '' for nothing."""
        kinds = (self.data, self.split, self.truth, self.queries)
        given = sum(kind is not None for kind in kinds)
        if given == 0:
            return "Say what is right: a folder, --split, --truth, or --database with --queries."
        if given > 1:
            return "Give one of a folder, --split, --truth, and --queries; they exclude each other."
        if self.root is None and (self.split or self.truth):
            return "--split and --truth need --root, the folder that their photos are under."
        if self.queries is not None and self.database is None:
            return "--queries needs --database: the photos to search among."
        if self.queries_dir is not None and self.split is None:
            return "--queries-dir only works with --split."
        if self.database is not None and self.truth is None and self.queries is None:
            return "--database only works with --truth or --queries."
        return ""


def open_truth(files: TruthFiles, *, lenient: bool = False) -> GroundTruth:
    """Read the truth that a choice of options names.

    When `lenient`, the photos of a split or a truth CSV that do not exist are listed as `missing`.

    Raises:
        TruthError: the options contradict each other, or the truth cannot be used.
        SourceError: photos that cannot be listed.
    """
    reason = files.why_not()
    if reason:
        raise TruthError(reason)
    if files.split is not None and files.root is not None:
        return read_split_truth(
            files.split, files.root, files.queries_dir, files.radius_m, lenient=lenient
        )
    if files.truth is not None and files.root is not None:
        return read_truth_csv(files.truth, files.root, files.database, lenient=lenient)
    if files.database is not None and files.queries is not None:
        return read_places_truth(files.database, files.queries, files.radius_m)
    data = files.data
    assert data is not None  # noqa: S101 - for the type checker; why_not has seen to it
    if data.is_dir() and (folders := benchmark_folders(data)):
        return read_places_truth(*folders, files.radius_m)
    return read_places_truth(data, None, files.radius_m)
