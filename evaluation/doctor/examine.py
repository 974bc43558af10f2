"""The doctor: reports faults that would make a job fail or its numbers worthless."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from place_search.core.errors import PlaceSearchError
from place_search.core.progress import Progress, renamed, silent
from place_search.core.settings import AskedPrecision
from place_search.evaluation import recall
from place_search.evaluation.descriptors import IndexDatabase
from place_search.evaluation.doctor.check_files import (
    check_duplicates,
    check_missing,
    check_readable,
    find_unlisted,
)
from place_search.evaluation.doctor.check_model import (
    check_centroids,
    check_index_model,
    check_index_photos,
)
from place_search.evaluation.doctor.check_positions import (
    check_csv,
    check_degrees,
    check_metres,
    degrees_of,
)
from place_search.evaluation.doctor.check_sources import check_source, notes_on
from place_search.evaluation.doctor.diagnosis import Diagnosis, Finding
from place_search.evaluation.doctor.plan import check_plan, make_plan, measure_rate, search_seconds
from place_search.evaluation.doctor.sample import sample_truth
from place_search.evaluation.evaluate import RECALL_KS, evaluate
from place_search.evaluation.protocol import open_protocol
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.kinds.positions import benchmark_folders
from place_search.evaluation.truth.open_truth import open_truth
from place_search.evaluation.truth.positives import utm_metres
from place_search.evaluation.truth.truth_files import TruthFiles
from place_search.indexer import (
    Index,
    Source,
    open_index,
    open_index_model,
    open_source,
    require_known_model,
)
from place_search.models import (
    DEFAULT_MODEL,
    Model,
    find_model,
    open_model,
    read_card,
)
from place_search.photos.decoding import MAX_PIXELS
from place_search.search.index_calibration import read_index_calibration

SAMPLE = 60
"""The number of queries to try, each among right photos and others."""


def examine(
    files: TruthFiles,
    *,
    index: Path | None = None,
    model: str | Path | None = None,
    protocol: str | None = None,
    ks: Iterable[int] = RECALL_KS,
    sample: int = SAMPLE,
    threads: int | None = None,
    precision: AskedPrecision = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
) -> Diagnosis:
    """Examine a truth, photos, an index, and a model.

    Faults are not raised but listed as problems. `sample` queries are searched for, which takes
    some seconds; 0 leaves that out. Photos that would decode to more than `max_pixels` count as
    unreadable.
    """
    examination = _Examination(files, recall.checked_ks(ks), protocol, max_pixels, progress)
    examination.open_index(index)
    examination.read_data()
    examination.open_model(model, threads, precision)
    examination.look_at_files()
    examination.look_at_positions()
    examination.look_at_sources()
    examination.estimate_cost()
    if sample and examination.fit_to_measure():
        examination.try_sample(sample)
    return examination.diagnosis()


class _Examination:
    """An examination; each step adds figures, problems and notes."""

    def __init__(
        self,
        files: TruthFiles,
        ks: list[int],
        protocol: str | None,
        max_pixels: int,
        progress: Progress,
    ) -> None:
        self.files, self.ks, self.protocol, self.progress = files, ks, protocol, progress
        self.index: Index | None = None
        self.truth: GroundTruth | None = None
        self.listed: list[Source] = []
        self.sources: list[Source] = []
        self.model: Model | None = None
        self.max_pixels = max_pixels
        self.model_name = DEFAULT_MODEL
        self.database = self.queries = self.queries_without_positives = 0
        self.chance: Mapping[int, float] | None = None
        self.seconds: Mapping[str, float] | None = None
        self.sample: Mapping[str, Any] | None = None
        self.plan: Mapping[str, Any] | None = None
        self.problems: list[Finding] = []
        self.notes: list[str] = []

    def diagnosis(self) -> Diagnosis:
        """The diagnosis of the steps up to now."""
        return Diagnosis(
            model=self.model_name,
            protocol=self.protocol,
            database=self.database,
            queries=self.queries,
            queries_without_positives=self.queries_without_positives,
            chance=self.chance,
            seconds=self.seconds,
            sample=self.sample,
            plan=self.plan,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            runtime="" if self.model is None else self.model.in_words,
        )

    def _add_error(self, code: str, example: object, error: PlaceSearchError) -> None:
        self.problems.append(Finding(code, 1, str(example), str(error)))

    def _judge(self, finding: Finding) -> None:
        """Add a problem of evaluations; where photos may only be meant for an index, a note."""
        code, count, example = finding.code, finding.count, finding.example
        if self.truth is None or self.truth.protocol != "leave-one-out":
            self.problems.append(finding)
        elif code == "duplicate-photos":
            self.notes.append(f"Photos that are copies of others: {count}, such as {example}.")
        else:
            photos = "no photo" if code == "no-positives" else "every photo"
            self.notes.append(
                f"By their positions {photos} shows the place of another, so they can be indexed "
                "and searched, not evaluated."
            )

    def open_index(self, folder: Path | None) -> None:
        """Open the index, if given, and check that its photos still exist."""
        if folder is None:
            return
        try:
            self.index = index = open_index(folder)
            read_index_calibration(index)
            shared = index.shared_parts.share
        except PlaceSearchError as error:
            self._add_error("index", folder, error)
            return
        self.model_name, self.database = index.model_id, index.count
        places = list(index.places())
        missing = [str(place.path) for place in places if not place.path.is_file()]
        if missing:
            remedy = (
                f"These photos of {folder} are not where they were; put them back or index again."
            )
            self.problems.append(Finding("missing", len(missing), missing[0], remedy))
        names = [place.name for place in places]
        self.problems += check_degrees(names, index.positions)
        if shared:
            self.notes.append(
                f"Photos of {folder} show the same in {shared:.0%} of the picture, as the bonnet "
                "of one car or the frame of an app; it is no place and is left out of verification."
            )
        if index.manifest.skipped:
            skipped = index.manifest.skipped
            self.notes.append(
                f"Photos that were left out of the index: {len(skipped)}, the first is "
                f"{skipped[0].name}: {skipped[0].reason.rstrip('.')}."
            )

    def read_data(self) -> None:
        """Read the truth, or at least the photos, and check tables that cannot be read."""
        files = self.files
        found_in_tables = False
        for path in self._lists():
            try:
                self.listed.append(open_source(path))
            except PlaceSearchError:  # reading the truth says so
                if path.suffix.lower() == ".csv":
                    found = check_csv(path)
                    self.problems += found
                    found_in_tables |= bool(found)
        if not files.why_not():
            try:
                self.truth = open_truth(files, lenient=True)
            except PlaceSearchError as error:
                self._read_photos_alone(error, blame=not found_in_tables)
        self._set_truth()

    def _lists(self) -> list[Path]:
        """Folders and tables of photos with positions; not what is a kind of truth alone."""
        data, files = self.files.data, self.files
        if files.split is not None or files.truth is not None:
            return []
        folders = benchmark_folders(data) if data is not None and data.is_dir() else None
        return [path for path in folders or (data, files.database, files.queries) if path]

    def _read_photos_alone(self, error: PlaceSearchError, *, blame: bool) -> None:
        """Read photos without a truth: they may still be indexed."""
        data = self.files.data
        if data is not None and blame:
            try:
                source = open_source(data)
            except PlaceSearchError as source_error:
                self._add_error("data", data, source_error)
                return
            self.sources.append(source)
            self.database = len(source.photos)
            self.notes.append(f"{error} They can be indexed and searched, not evaluated.")
        elif blame:
            self._add_error(
                "truth", self.files.split or self.files.truth or self.files.queries, error
            )

    def _set_truth(self) -> None:
        truth = self.truth
        if truth is None:
            return
        self.protocol = self.protocol or truth.protocol
        self.database, self.queries = len(truth.database), len(truth.queries)
        try:
            rules = open_protocol(truth, self.protocol)
        except PlaceSearchError as error:
            self._add_error("protocol", self.protocol, error)
            return
        right = rules.right()
        without_positives = right.count(0)
        self.queries_without_positives = without_positives
        self.chance = rules.chance(self.ks)
        self.notes += rules.warnings
        if without_positives == len(right):
            radius = f" within {truth.radius_m:g} m" if truth.radius_m is not None else ""
            remedy = (
                f"No query has a right photo{radius}: check the positions of both, or --radius-m."
            )
            self._judge(Finding("no-positives", without_positives, truth.queries[0], remedy))
        elif recall.all_are_right(rules.candidates(), right):
            remedy = (
                "Every photo is right for every query, so that no model could be told from chance: "
                + truth.remedy_all_right
            )
            self._judge(Finding("all-positives", len(right), truth.queries[0], remedy))
        elif without_positives:
            self.notes.append(
                f"Queries without positives, which are always wrong: {without_positives}."
            )

    def open_model(
        self, model: str | Path | None, threads: int | None, precision: AskedPrecision
    ) -> None:
        """Open the model, and check its files, its vocabulary, and that it fits the index."""
        name_or_folder = model or (self.index.model_id if self.index else DEFAULT_MODEL)
        self.model_name = str(name_or_folder)
        options: dict[str, Any] = {"mode": "throughput", "threads": threads, "precision": precision}
        options["max_pixels"] = self.max_pixels
        try:
            if self.index is not None:
                require_known_model(self.index.manifest)
            folder = find_model(name_or_folder)
            self.problems += check_centroids(folder)
            self.model_name = read_card(folder).id
            if self.index is None:
                self.model = open_model(folder, verify=True, **options)
            else:
                self.model = open_index_model(self.index.manifest, folder, **options)
        except PlaceSearchError as error:
            self._add_error("model", name_or_folder, error)
            return
        if self.index is not None:
            self.problems += check_index_model(self.index, self.model)

    def look_at_files(self) -> None:
        """Check for missing files, unreadable files, copies, and photos that an index lacks."""
        truth, problems = self.truth, self.problems
        for source in self.sources:
            problems += check_readable([photo.path for photo in source.photos], self.max_pixels)
        if truth is None:
            return
        problems += check_missing(truth)
        if self.files.truth or self.files.split:  # `look_at_sources` notes those of other data
            self.notes += truth.warnings
        missing = set(truth.missing)
        problems += check_readable(
            [truth.path(n) for n in truth.photos if n not in missing], self.max_pixels
        )
        for finding in check_duplicates(truth):
            self._judge(finding)
        if not missing and (self.files.split or self.files.truth):
            unlisted = find_unlisted(truth)
            if unlisted:
                self.notes.append(
                    f"Photos under {truth.root} that are not in {truth.name}, and are left out: "
                    f"{len(unlisted)}, such as {unlisted[0]}."
                )
        if self.index is not None:
            problems += check_index_photos(IndexDatabase(self.index, truth))

    def look_at_positions(self) -> None:
        """Check the metres of the truth, and the degrees of names and lists."""
        truth = self.truth
        if (
            truth is not None
            and truth.database_metres is not None
            and truth.query_metres is not None
        ):
            separate = truth.protocol != "leave-one-out"
            metres = [truth.database_metres, *([truth.query_metres] if separate else [])]
            names = [*truth.database, *(truth.queries if separate else ())]
            self.problems += check_metres(names, np.concatenate(metres), places=len(truth.database))
        for source in self.listed:
            names = [photo.name for photo in source.photos]
            self.problems += check_degrees(names, degrees_of(source.photos))
            if truth is None:
                listed = utm_metres([photo.utm for photo in source.photos])
                self.problems += check_metres(names, listed, places=len(names))

    def look_at_sources(self) -> None:
        """Check for photos that folders and tables leave out, and for unusable positions."""
        for source in self.listed:
            self.problems += check_source(source)
            self.notes += notes_on(source)

    def estimate_cost(self) -> None:
        """Estimate memory, disk space and time."""
        if self.model is None or not self.database:
            return
        card = self.model.card
        local = self.model.local_features
        preprocessing = self.model.preprocessings[-1]
        pixels = preprocessing.width * preprocessing.height
        cells = 0 if local is None else pixels // local.stride**2
        rate = measure_rate(self.model)
        query_count = self.queries
        if self.truth is not None:
            query_count = len(self.truth.photos) - len(set(self.truth.database))
        self.plan = make_plan(self.model, self.database, query_count, rate, cells)
        todo = query_count if self.index is not None else self.database + query_count
        self.seconds = {
            "embed": todo / rate,
            "search": search_seconds(self.database, self.queries, card.dims),
            "verify": 0.0,
        }
        self.problems += check_plan(self.plan)

    def fit_to_measure(self) -> bool:
        """Whether a sample can be tried: truth, model and photos are available."""
        if self.truth is None or self.model is None or self.chance is None:
            return False
        if self.index is not None and self.index.fingerprint != self.model.fingerprint:
            return False
        return not self.truth.missing or len(self.truth.missing) < len(self.truth.photos)

    def try_sample(self, size: int) -> None:
        """Search for some queries among some photos; a recall no better than chance is a fault."""
        assert self.truth is not None  # noqa: S101 - fit_to_measure has seen to it
        assert self.model is not None  # noqa: S101
        part = sample_truth(self.truth, size, whole_database=self.index is not None)
        if part is None:
            return
        try:
            places = None if self.index is None else IndexDatabase(self.index, part)
            sample_progress = renamed(self.progress, "Trying a sample")
            report = evaluate(part, self.model, ks=[1], index=places, progress=sample_progress)
        except PlaceSearchError as error:
            self._add_error("sample", self.truth.name, error)
            return
        rules = open_protocol(part)
        recall_1, chance = report.recall[1], report.chance[1]
        self.sample = {
            "queries": report.queries,
            "database": report.database,
            "recall": {"1": round(recall_1, 1)},
            "chance": {"1": round(chance, 1)},
        }
        if recall.no_better_than_chance(report.recall, rules.candidates(), rules.right()):
            remedy = (
                f"Of {report.queries} queries {recall_1:.1f} % found their place, and chance gives "
                f"{chance:.1f} %: photos and truth are out of step, or the model sees nothing; "
                "compare some queries with their positives by eye."
            )
            self.problems.append(Finding("out-of-step", report.queries, part.queries[0], remedy))
