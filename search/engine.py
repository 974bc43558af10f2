"""The engine: a query photo in, the most similar places of one index out."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position
from place_search.indexer import Filter, Hit, Index, StoreOutageError
from place_search.models import Codes, Model
from place_search.models.runtimes.base import Embedding
from place_search.photos import Photo, PhotoBox, PhotoError
from place_search.search.agreeing import in_agreement
from place_search.search.by_descriptor import DescriptorSearch
from place_search.search.groups.counted import places_of_spots, spots_among
from place_search.search.index_calibration import borrowed_note, calibration_for
from place_search.search.location import estimate_location
from place_search.search.parameters import MAX_K, check_parameters, switch_of
from place_search.search.probability import (
    BACKGROUND,
    candidate_probabilities,
    match_of,
    told_probability,
)
from place_search.search.results import (
    IndexInfo,
    QueryPhoto,
    SearchResult,
    Timings,
    index_info,
)
from place_search.search.several.batch import BatchStandards, batch_standards
from place_search.search.several.together import (
    View,
    candidates_together,
    fused_order,
    fused_probabilities,
    mean_direction,
    strongest,
    unit,
)
from place_search.search.several.views import TAKEN_WHOLE, Asked, Found, best_of_views, parts_of
from place_search.search.stages import Stages
from place_search.search.thumbnails import Thumbnails
from place_search.search.verification import (
    CANDIDATES,
    NOTHING,
    NOTHING_TO_MATCH,
    Query,
    is_blank,
    match_too,
    rank_by_geometry,
)

AnyPhoto: TypeAlias = bytes | Path


class Decode(Protocol):
    """Reads a photo, or a box of it, whose pixels a model takes; raises `PhotoError`.

    A `panorama` comes with its views, as `place_search.photos.preprocessing.decode_for` cuts them.
    """

    def __call__(
        self, photo: bytes | Path, /, *, box: PhotoBox | None = None, panorama: bool | None = False
    ) -> Photo:
        """Read it."""
        ...


class Engine(DescriptorSearch):
    """Searches one index with the model it was built with. Thread-safe."""

    def __init__(
        self,
        index: Index,
        model: Model,
        *,
        decode: Decode | None = None,
        candidates: int = CANDIDATES,
        verify_budget_s: float = math.inf,
    ) -> None:
        """Raises `ModelMismatchError` where the index was built with another model.

        `decode` reads the photos in place of the model, as a server's decoding processes do. A
        verified search compares `candidates` places, or as many as are asked for, and after
        `verify_budget_s` seconds begins no more: that serves who waits, but lets the answer hang on
        how busy the machine is.
        """
        index.check_model(model)
        self.model = model
        self.decode = decode or model.read
        self.candidates = candidates
        self.verify_budget_s = verify_budget_s
        self._verifies = (
            index.has_local_features
            and model.local_features is not None
            and index.manifest.keeps_features_of(model, index.folder)
        )
        calibration, is_borrowed = calibration_for(index, model)
        super().__init__(index, calibration)
        self._notes = [borrowed_note(model)] if is_borrowed else []

    @property
    def verifies(self) -> bool:
        """Whether the index keeps the local features that verification needs."""
        return self._verifies

    def warm_up(self) -> None:
        """Search once, so that the first query does not wait for what happens only then.

        A model is prepared for the shape of the photo, so the photo is one of the index's own, of
        the usual shape. A damaged one, or an engine of vectors that does not answer yet, is no
        reason not to start.
        """
        with suppress(StoreOutageError, PhotoError):
            self.search(self.index.thumbnail(self.index.usual_place()), k=1)

    def about(self) -> IndexInfo:
        """What is searched."""
        return index_info(self.index, len(self.positions))

    def search(
        self,
        photo: AnyPhoto | Sequence[AnyPhoto],
        *,
        k: int = 10,
        spots: bool = False,
        verify: bool | None = None,
        box: PhotoBox | None = None,
        panorama: bool | None = None,
        near: Position | None = None,
        radius_m: float | None = None,
        wanted: Filter | None = None,
        batch: BatchStandards | None = None,
        stages: Stages | None = None,
    ) -> SearchResult:
        """Find the `k` places that look most like a photo, best first.

        With `spots` places of one group count once, and all that come before the `k`-th spot are
        told of, `MAX_K` at most. Several photos of one spot are one query, with one answer; what it
        says of the query photo is of the first. `verify` ranks the most similar places by how well
        their geometry agrees with the photo's, and estimates where it was taken; by default that is
        done where the index can. With a `box` only that part of the photo is searched with. A 360°
        `panorama` by itself is cut into views, and each result says which of them shows it: by
        default where the photo's metadata says that it is one, with True where its shape does, with
        False never. `near` and `radius_m` together leave only the places at most that many metres
        from a point; places without a position are then left out. Only places that fit the filter
        `wanted` count. `batch` chooses places by what `standards_of` measured of the photo and
        others. `stages` goes on where a request has begun already.

        Raises:
            ParameterError: k outside 1–100, only one of `near` and `radius_m`, no photo, more than
                `MAX_TOGETHER` or several with a box.
            PhotoError: a photo is not one that can be read, or the box is not one of it.
            StoreOutageError: the engine that holds the vectors does not answer.
        """
        photos = [photo] if isinstance(photo, bytes | Path | str) else photo
        check_parameters(k, near, radius_m, len(photos), box)
        spots = bool(switch_of("spots", spots))
        verify = switch_of("verify", verify)
        panorama = switch_of("panorama", panorama)
        stages = stages or Stages()
        cut = panorama if len(photos) == 1 and box is None else False
        decoded = []
        for one in photos:
            with stages.timed("decode"):
                decoded.append(self.decode(one, box=box, panorama=cut))
        notes = [*chain.from_iterable(one.notes for one in decoded), *self._notes]
        if panorama and not cut:
            notes.append(TAKEN_WHOLE)
        if verify and not self.verifies:
            kept = "other local features than this model gives"
            which = kept if self.index.has_local_features else "no local features"
            notes.append(f"The index keeps {which}, so the results are unverified.")
        checking = verify is not False and self.verifies
        asked = Asked(k, spots, checking, near, radius_m, wanted, batch, stages, notes)
        seen = decoded[0]
        found = [self._found(part, asked, len(seen.views)) for part in parts_of(decoded)]
        ranked = in_agreement(self.index, best_of_views(found), self.calibration.threshold, notes)
        told = self._told(ranked, asked)
        results = tuple(self.result(rank, one) for rank, one in enumerate(told, start=1))
        match = match_of(self.calibration, ranked[0].probability or 0.0 if ranked else 0.0)
        location = None
        if checking and match.verdict == "found":
            location = estimate_location(
                [(self.index.place(one.hit.place_id).position, one.score) for one in ranked]
            )
        views = tuple(view.facing for view in seen.views if view.facing is not None)
        about = QueryPhoto(
            seen.width, seen.height, seen.position, tuple(dict.fromkeys(notes)), views
        )
        return SearchResult(
            index_id=self.index.index_id,
            model=self.index.model_id,
            query=about,
            timings_ms=Timings.of(stages),
            match=match._replace(probability=told_probability(match.probability)),
            results=results,
            location=location,
            thumbnails=Thumbnails(self.index),
        )

    def _found(self, photos: Sequence[Photo], asked: Asked, among: int) -> list[Found]:
        """The places that look most like photos of one spot, best first.

        The first `asked.k`, or as many as it takes to show so many spots, have a probability, as
        all that were matched in full, and without verification the first `BACKGROUND`: they may
        contradict the first. A view `among` so many of a panorama takes its share of the
        time.
        """
        checking, stages, notes = asked.checking, asked.stages, asked.notes
        model = self.model if checking else self.model.alone()
        sharing = max(len(photos), among)
        with stages.timed("embed"):
            embeddings = [model.embed(one) for one in photos]
        with stages.timed("search"):
            beside = candidates_together(self.candidates, sharing) if checking else 0
            if not (checking and sharing == 1):
                beside = max(beside, BACKGROUND)
            most = MAX_K if asked.spots and not checking else asked.k
            count = max(most, beside)
            fused = mean_direction([made.descriptor for made in embeddings])
            hits = self.hits(
                fused, count, asked.near, asked.radius_m, asked.wanted, notes, asked.batch
            )
            views = self._views(embeddings, hits)
        blank = [not checking and is_blank(made.local_features) for made in embeddings]
        if any(blank):
            notes.append(NOTHING_TO_MATCH)
        order: Sequence[int] = range(len(hits))
        for depth in self._depths(hits, asked):
            if checking:
                with stages.timed("verify"):
                    views = self._verified(views, embeddings, hits, depth, notes, sharing)
                    order = fused_order([view.ranking for view in views if view.ranking])
            shown = (hits[row].place_id for row in order[:depth])
            if not asked.spots or spots_among(self.index.groups, shown) >= asked.k:
                break
        matched = max(len(view.found) for view in views) if checking else BACKGROUND
        first = order[: max(depth, matched)]
        probabilities = fused_probabilities(
            [
                candidate_probabilities(
                    self.calibration,
                    [view.similarities[row] for row in first],
                    [view.found.get(row, NOTHING if shows_nothing else None) for row in first],
                    view.similarities[:beside],
                )
                for view, shows_nothing in zip(views, blank, strict=True)
            ]
        )
        return [
            Found(
                hits[row],
                strongest(view.found.get(row) for view in views),
                probabilities[at] if at < len(probabilities) else None,
                sum(view.found[row].score for view in views if row in view.found),
                photos[0].facing,
            )
            for at, row in enumerate(order)
        ]

    def _depths(self, hits: Sequence[Hit], asked: Asked) -> Sequence[int]:
        """How many candidates to look at closely: those to tell of, then more if they are too few.

        Geometry may put many photos of one spot before those of others.
        """
        if not asked.spots:
            return [asked.k]
        likely = [hit.place_id for hit in hits[:MAX_K]]
        return sorted({places_of_spots(self.index.groups, likely, asked.k), len(likely)})

    def _told(self, ranked: Sequence[Found], asked: Asked) -> Sequence[Found]:
        """The results among what was found, best first."""
        if not asked.spots:
            return ranked[: asked.k]
        told = [one for one in ranked if one.probability is not None][:MAX_K]
        ids = (one.hit.place_id for one in told)
        return told[: places_of_spots(self.index.groups, ids, asked.k)]

    def _views(self, embeddings: Sequence[Embedding], hits: Sequence[Hit]) -> list[View]:
        """How similar each photo of the query is to the hits."""
        if len(embeddings) == 1 or not hits:
            return [View([hit.similarity for hit in hits])] * len(embeddings)
        rows = np.searchsorted(self.index.place_ids, [hit.place_id for hit in hits])
        stored = self.index.descriptors().take(rows)
        return [View((stored @ unit(made.descriptor)).tolist()) for made in embeddings]

    def standards_of(self, photos: Iterable[bytes | Path]) -> BatchStandards:
        """What the descriptors of photos have in common; those that cannot be read say nothing."""
        return batch_standards(self.index, self._descriptors(photos))

    def _descriptors(self, photos: Iterable[bytes | Path]) -> Iterator[NDArray[np.float32]]:
        for photo in photos:
            with suppress(PhotoError):
                yield self.model.alone().embed(self.decode(photo)).descriptor

    def _verified(
        self,
        views: Sequence[View],
        embeddings: Sequence[Embedding],
        hits: Sequence[Hit],
        k: int,
        notes: list[str],
        sharing: int,
    ) -> list[View]:
        """The views with their verification of the hits; all `sharing` have the budget of two.

        What one view is matched with in full, all are: similarity would speak for the others.
        """
        budget = self.verify_budget_s * (1 if sharing == 1 else 2 / sharing)
        deadline = time.perf_counter() + budget * len(views)
        asked = [
            (Query.of(made), _Candidates(self.index, hits, view.similarities))
            for view, made in zip(views, embeddings, strict=True)
        ]
        if any(query.is_blank for query, _ in asked):
            notes.append(NOTHING_TO_MATCH)
        rankings = [rank_by_geometry(*one, k, budget_s=budget) for one in asked]
        seen = sorted({row for ranking in rankings for row in ranking.found})
        checked = [
            view._replace(ranking=match_too(*one, seen, ranking, deadline))
            for view, one, ranking in zip(views, asked, rankings, strict=True)
        ]
        if late := max(view.ranking.late for view in checked if view.ranking):
            notes.append(
                f"Time ran out before {late} of {len(hits)} places were verified; they come last."
            )
        return checked


class _Candidates:
    """Places of an index that a photo is compared with, read when their turn comes."""

    def __init__(self, index: Index, hits: Sequence[Hit], similarities: Sequence[float]) -> None:
        self._index = index
        self._hits = hits
        self.similarities = similarities

    def codes(self, row: int) -> Codes:
        """The codes of a candidate's local features."""
        return self._index.codes(self._hits[row].place_id)
