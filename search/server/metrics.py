"""What a server counts, as Prometheus reads it at /metrics."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as _generate
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.search.server.state import ServerState

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one server."""

    def __init__(self, service: "ServerState") -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "place_search_stage_seconds",
            "Seconds that a stage of a search, a comparison, an explanation or a change took.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._requests = Histogram(
            "place_search_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._problems = Counter(
            "place_search_problems",
            "Answers that tell a problem, by its type.",
            ["type"],
            registry=self._registry,
        )
        self._reloads = Counter(
            "place_search_reloads",
            "New versions of the index, by whether they are served or were refused.",
            ["result"],
            registry=self._registry,
        )
        self._registry.register(_State(service))

    def worked(self, stages: Stages) -> None:
        """Count the stages of a request; one with two photos has two of some."""
        for stage in stages.done:
            self._stages.labels(stage.name).observe(stage.seconds)

    def answered(self, route: str, status: int, seconds: float, problem: str | None) -> None:
        """Count an answer; `route` is a pattern, so that nobody can make up new ones."""
        self._requests.labels(route, str(status)).observe(seconds)
        if problem is not None:
            self._problems.labels(problem).inc()

    def reloaded(self, result: str) -> None:
        """Count a new version of the index that was "served" or "refused"."""
        self._reloads.labels(result).inc()

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return _generate(self._registry)


class _State(Collector):
    """What is read when asked for: the queues, the index, the decoder."""

    def __init__(self, service: "ServerState") -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        service = self._service
        depth = GaugeMetricFamily(
            "place_search_queue_depth", "Jobs that run or wait.", labels=["queue"]
        )
        places = GaugeMetricFamily(
            "place_search_queue_places", "Jobs that may run or wait.", labels=["queue"]
        )
        queues = {
            "search": service.searches,
            "image": service.images,
            "change": service.changes,
        }
        for name, queue in queues.items():
            depth.add_metric([name], queue.depth)
            places.add_metric([name], queue.places)
        yield depth
        yield places
        yield GaugeMetricFamily(
            "place_search_ready", "1 once it can search.", int(service.loaded is not None)
        )
        yield GaugeMetricFamily(
            "place_search_index_refused",
            "1 while a newer version of the index is refused.",
            int(service.refused is not None),
        )
        if service.decoder is not None:
            deaths = CounterMetricFamily(
                "place_search_decoder_deaths", "Photos that ended their decoding process."
            )
            deaths.add_metric([], service.decoder.deaths)
            yield deaths
        if service.loaded is not None:
            index = service.loaded.index
            about = InfoMetricFamily("place_search_index", "The index that is searched.")
            about.add_metric([], {"index_id": index.index_id, "model": index.model_id})
            yield about
            yield GaugeMetricFamily("place_search_places", "Places in the index.", index.count)
