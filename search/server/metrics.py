"""The counters of a server, for Prometheus at /metrics."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as _generate
from prometheus_client.registry import Collector

from place_search.search.stages import Stages

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
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

    def worked(self, stages: Stages) -> None:
        """Count the stages of a request; with two photos some stages occur twice."""
        for stage in stages.finished:
            self._stages.labels(stage.name).observe(stage.seconds)

    def answered(self, route: str, status: int, seconds: float, problem: str | None) -> None:
        """Count an answer; `route` is a pattern, so that clients cannot create new labels."""
        self._requests.labels(route, str(status)).observe(seconds)
        if problem is not None:
            self._problems.labels(problem).inc()

    def reloaded(self, result: str) -> None:
        """Count a new version of the index that was "served" or "refused"."""
        self._reloads.labels(result).inc()

    def register(self, collector: Collector) -> None:
        """Add a collector, which is read whenever the page is requested."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return _generate(self._registry)
