"""The present state of a server, for its metrics."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from place_search.core.memory import CEILING, private_bytes
from place_search.photos import Decoder
from place_search.search.server.served import ServedIndex
from place_search.search.server.state import Shared


class StateCollector(Collector):
    """Reads the queues, the indexes and the decoder whenever metrics are requested."""

    def __init__(
        self, shared: Shared, indexes: Mapping[str, ServedIndex], decoder: Decoder | None
    ) -> None:
        self._shared, self._indexes, self._decoder = shared, indexes, decoder

    def describe(self) -> list[Metric]:
        """No metrics: their names come with the figures."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The present figures."""
        yield from self._of_queues()
        yield from self._of_indexes()
        yield from self._of_memory()
        if self._decoder is not None:
            deaths = CounterMetricFamily(
                "place_search_decoder_deaths", "Photos that ended their decoding process."
            )
            deaths.add_metric([], self._decoder.deaths)
            yield deaths

    def _of_queues(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "place_search_queue_depth", "Jobs that run or wait.", labels=["queue"]
        )
        places = GaugeMetricFamily(
            "place_search_queue_places", "Jobs that may run or wait.", labels=["queue"]
        )
        queues = {
            "search": self._shared.searches,
            "image": self._shared.images,
            "change": self._shared.changes,
        }
        for name, queue in queues.items():
            depth.add_metric([name], queue.depth)
            places.add_metric([name], queue.places)
        yield depth
        yield places

    def _of_indexes(self) -> Iterator[Metric]:
        def gauge(name: str, description: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"place_search_{name}", description, labels=["index"])

        ready = gauge("ready", "1 once the index can be searched.")
        refused = gauge("index_refused", "1 while a newer version of the index is refused.")
        damaged = gauge(
            "index_damaged",
            "1 once a file of the index was found damaged, until a whole version is served.",
        )
        places = gauge("places", "Places in the index.")
        about = InfoMetricFamily(
            "place_search_index", "The version that is searched.", labels=["index"]
        )
        for name, served in self._indexes.items():
            service = served.service
            ready.add_metric([name], int(service.loaded is not None))
            refused.add_metric([name], int(service.refused is not None))
            damaged.add_metric([name], int(bool(service.damage)))
            if service.loaded is not None:
                index = service.loaded.index
                about.add_metric([name], {"index_id": index.index_id, "model": index.model_id})
                places.add_metric([name], index.count)
        yield from (ready, refused, damaged, about, places)

    def _of_memory(self) -> Iterator[Metric]:
        memory = GaugeMetricFamily(
            "place_search_memory_bytes", "Memory that is held, mapped files not.", labels=["by"]
        )
        memory.add_metric(["server"], private_bytes())
        memory.add_metric(["decoders"], CEILING.used_by_others())
        yield memory
        if CEILING.is_set:
            yield GaugeMetricFamily(
                "place_search_memory_limit_bytes", "What all may hold (--memory).", CEILING.limit
            )
        holders = list(CEILING.holders)
        yield GaugeMetricFamily(
            "place_search_graphs",
            "Graphs that are compiled, each for one shape of photos.",
            sum(len(holder) for holder in holders),
        )
        compiled = CounterMetricFamily(
            "place_search_graphs_compiled",
            "Graphs that were compiled or read again; many: give more --memory.",
        )
        compiled.add_metric([], sum(holder.made_count for holder in holders))
        yield compiled
