"""The engine: a query photo in, the most similar places of one index out."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.geodesy import Position
from place_search.indexer import Filter, Hit, Index, StoreOutageError
from place_search.models import Codes, Model, is_blank
from place_search.models.runtimes.base import Embedding
from place_search.photos import Photo, PhotoBox, PhotoError
from place_search.photos.sandbox.decoder import DecoderBusyError
from place_search.search.by_descriptor import DescriptorSearch
from place_search.search.groups.counting import places_of_spots, spots_among
from place_search.search.index_calibration import calibration_for
from place_search.search.location import estimate_location
from place_search.search.parameters import MAX_K, check_parameters, switch_of
from place_search.search.probability import (
    BACKGROUND,
    candidate_probabilities,
    match_of,
    rounded_probability,
)
from place_search.search.results import (
    IndexInfo,
    QueryPhoto,
    SearchResult,
    Timings,
    index_info,
)
from place_search.search.several.agreeing import in_agreement
from place_search.search.several.batch import BatchStandards, batch_standards
from place_search.search.several.fusion import (
    View,
    candidates_per_photo,
    fused_order,
    fused_probabilities,
    mean_direction,
    of_photo,
    strongest,
    unit,
)
from place_search.search.several.views import (
    TAKEN_WHOLE,
    RankedPlace,
    SearchOptions,
    Where,
    best_of_views,
    parts_of,
)
from place_search.search.stages import Stages
from place_search.search.thumbnails import Thumbnails
from place_search.search.verification import (
    CANDIDATES,
    NOTHING,
    NOTHING_TO_MATCH,
    Candidates,
    Query,
    extend_ranking,
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
        """Read the photo."""
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
        verified search compares `candidates` places, or `k` if that is more, and begins no further
        comparison after `verify_budget_s` seconds: that bounds the wait, but lets the answer depend
        on the load of the machine.
        """
        index.check_model(model)
        self.model = model
        self.decode = decode or model.read
        self.candidates = candidates
        self.verify_budget_s = verify_budget_s
        self.verifies = (
            index.has_local_features
            and model.local_features is not None
            and index.manifest.keeps_features_of(model, index.folder)
        )
        """Whether the index keeps the local features that verification needs."""
        super().__init__(index, calibration_for(index, model))

    def warm_up(self) -> None:
        """Search once, so that the first query does not wait for preparations.

        A model is prepared for the shape of the photo, so a photo of the index is searched for,
        of the usual shape. A damaged photo, a busy decoder, or a vector engine that does not answer
        yet, is no reason not to start, nor to fail a change that is on disk.
        """
        with suppress(StoreOutageError, PhotoError, DecoderBusyError):
            self.search(self.index.thumbnail(self.index.usual_place()), k=1)

    def about(self) -> IndexInfo:
        """The facts of the index that is searched."""
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
        place_filter: Filter | None = None,
        batch: BatchStandards | None = None,
        stages: Stages | None = None,
    ) -> SearchResult:
        """Find the `k` places that look most like a photo, best first.

        With `spots` places of one group count once, and the results are all places before the
        `k`-th spot, `MAX_K` at most. Several photos of one spot are one query, with one answer; its
        facts of the query photo are those of the first. `verify` ranks the most similar places by
        how well their geometry agrees with the photo's, and estimates where it was taken; by
        default where the index keeps local features. With a `box` only that part of the photo is
        the query. A 360° `panorama` by itself is cut into views, and each result names the view
        that shows it: by default where the photo's metadata calls it a panorama, with True where
        its shape does, with False never. `near` and `radius_m` together leave only the places at
        most `radius_m` metres from a point; places without a position are then left out. Only
        places that fit the `place_filter` count. `batch`, from `standards_of`, chooses places by
        the differences between photos. `stages` are those of a request that has begun already.

        Raises:
            ParameterError: k outside 1–100, only one of `near` and `radius_m`, no photo, more than
                `MAX_PHOTOS` or several with a box.
            PhotoError: a photo cannot be read, or the box does not fit it.
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
        for number, source in enumerate(photos, start=1):
            with stages.timed("decode"), of_photo(number, len(photos)):
                decoded.append(self.decode(source, box=box, panorama=cut))
        notes = [*chain.from_iterable(decoded_photo.notes for decoded_photo in decoded)]
        notes += self.chosen.notes
        if panorama and not cut:
            notes.append(TAKEN_WHOLE)
        if verify and not self.verifies:
            others = "other local features than this model gives"
            features = others if self.index.has_local_features else "no local features"
            notes.append(f"The index keeps {features}, so the results are unverified.")
        checking = verify is not False and self.verifies
        where = Where(near, radius_m, place_filter)
        options = SearchOptions(k, spots, checking, where, batch, stages, notes)
        first = decoded[0]
        by_part = [
            self._ranked_places(part, options, len(first.views)) for part in parts_of(decoded)
        ]
        ranked = in_agreement(self.index, best_of_views(by_part), self.calibration.threshold, notes)
        shown = self._shown(ranked, options)
        results = tuple(self.result(rank, place) for rank, place in enumerate(shown, start=1))
        match = match_of(self.calibration, ranked[0].probability or 0.0 if ranked else 0.0)
        location = None
        if checking and match.verdict == "found":
            location = estimate_location(
                [(self.index.place(place.hit.place_id).position, place.score) for place in ranked]
            )
        views = tuple(view.facing for view in first.views if view.facing is not None)
        about = QueryPhoto(
            first.width, first.height, first.position, tuple(dict.fromkeys(notes)), views
        )
        return SearchResult(
            index_id=self.index.index_id,
            model=self.index.model_id,
            query=about,
            timings_ms=Timings.of(stages),
            match=match._replace(probability=rounded_probability(match.probability)),
            results=results,
            location=location,
            thumbnails=Thumbnails(self.index),
        )

    def _ranked_places(
        self, photos: Sequence[Photo], options: SearchOptions, panorama_views: int
    ) -> list[RankedPlace]:
        """The places that look most like photos of one spot, best first.

        The first `options.k` places, or those that show `options.k` spots, have a probability. So
        have all that were matched in full, and without verification the first `BACKGROUND`: they
        may contradict the first place. Each of `panorama_views` views takes its share of the time.
        """
        checking, stages, notes = options.checking, options.stages, options.notes
        model = self.model if checking else self.model.alone()
        sharing = max(len(photos), panorama_views)
        embeddings = []
        for number, photo in enumerate(photos, start=1):
            with stages.timed("embed"), of_photo(number, len(photos)):
                embeddings.append(model.embed(photo))
        with stages.timed("search"):
            compared = candidates_per_photo(self.candidates, sharing) if checking else 0
            if not (checking and sharing == 1):
                compared = max(compared, BACKGROUND)
            most = MAX_K if options.spots and not checking else options.k
            count = max(most, compared)
            fused = mean_direction([embedding.descriptor for embedding in embeddings])
            hits = self.hits(fused, count, options.where, notes, options.batch)
            views = self._views(embeddings, hits)
        blank = [not checking and is_blank(embedding.local_features) for embedding in embeddings]
        if any(blank):
            notes.append(NOTHING_TO_MATCH)
        order: Sequence[int] = range(len(hits))
        for depth in self._depths(hits, options):
            if checking:
                with stages.timed("verify"):
                    views = self._verified(views, embeddings, hits, depth, notes, sharing)
                    order = fused_order([view.ranking for view in views if view.ranking])
            shown = (hits[row].place_id for row in order[:depth])
            if not options.spots or spots_among(self.index.groups, shown) >= options.k:
                break
        matched = max(len(view.verifications) for view in views) if checking else BACKGROUND
        first = order[: max(depth, matched)]
        probabilities = fused_probabilities(
            [
                candidate_probabilities(
                    self.calibration,
                    [view.similarities[row] for row in first],
                    [
                        view.verifications.get(row, NOTHING if shows_nothing else None)
                        for row in first
                    ],
                    view.similarities[:compared],
                )
                for view, shows_nothing in zip(views, blank, strict=True)
            ]
        )
        return [
            RankedPlace(
                hits[row],
                strongest(view.verifications.get(row) for view in views),
                probabilities[at] if at < len(probabilities) else None,
                sum(view.verifications[row].score for view in views if row in view.verifications),
                photos[0].facing,
            )
            for at, row in enumerate(order)
        ]

    def _depths(self, hits: Sequence[Hit], options: SearchOptions) -> Sequence[int]:
        """The numbers of candidates to verify, in the order to try, until they show enough spots.

        Geometry may put many photos of one spot before those of others.
        """
        if not options.spots:
            return [options.k]
        likely = [hit.place_id for hit in hits[:MAX_K]]
        return sorted({places_of_spots(self.index.groups, likely, options.k), len(likely)})

    def _shown(
        self, ranked: Sequence[RankedPlace], options: SearchOptions
    ) -> Sequence[RankedPlace]:
        """The ranked places that the answer shows, best first."""
        if not options.spots:
            return ranked[: options.k]
        judged = [place for place in ranked if place.probability is not None][:MAX_K]
        ids = (place.hit.place_id for place in judged)
        return judged[: places_of_spots(self.index.groups, ids, options.k)]

    def _views(self, embeddings: Sequence[Embedding], hits: Sequence[Hit]) -> list[View]:
        """The similarities of each photo of the query to the hits."""
        if len(embeddings) == 1 or not hits:
            return [View([hit.similarity for hit in hits])] * len(embeddings)
        rows = np.searchsorted(self.index.place_ids, [hit.place_id for hit in hits])
        stored = self.index.descriptors().take(rows)
        return [View((stored @ unit(embedding.descriptor)).tolist()) for embedding in embeddings]

    def standards_of(self, photos: Iterable[bytes | Path]) -> BatchStandards:
        """The statistics of the descriptors of photos, but for photos that cannot be read."""
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
        """The views with their verification of the hits; `sharing` views have the budget of two.

        All views are matched in full with the same hits: others would be judged by similarity.
        """
        budget = self.verify_budget_s * (1 if sharing == 1 else 2 / sharing)
        deadline = time.perf_counter() + budget * len(views)
        codes = partial(self._codes, hits)
        tasks = [
            (Query.of(embedding), Candidates(view.similarities, codes))
            for view, embedding in zip(views, embeddings, strict=True)
        ]
        if any(query.is_blank for query, _ in tasks):
            notes.append(NOTHING_TO_MATCH)
        rankings = [rank_by_geometry(*task, k, budget_s=budget) for task in tasks]
        matched = sorted({row for ranking in rankings for row in ranking.verifications})
        checked = [
            view._replace(ranking=extend_ranking(*task, matched, ranking, deadline))
            for view, task, ranking in zip(views, tasks, rankings, strict=True)
        ]
        if late := max(view.ranking.late for view in checked if view.ranking):
            notes.append(
                f"Time ran out before {late} of {len(hits)} places were verified; they come last."
            )
        return checked

    def _codes(self, hits: Sequence[Hit], row: int) -> Codes:
        """The codes of the local features of one of the hits."""
        return self.index.codes(hits[row].place_id)
