"""What a server is doing now, as its metrics show it."""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from place_search.core.memory import CEILING, private_bytes
from place_search.search.server.state import ServerState


class StateCollector(Collector):
    """Reads the queues, the index and the decoder when it is asked."""

    def __init__(self, service: ServerState) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Nothing: names are told with the figures."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
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
        yield GaugeMetricFamily(
            "place_search_index_damaged",
            "1 once a file of the index was found damaged, until a whole version is served.",
            int(bool(service.damage)),
        )
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
            "place_search_graphs_compiled", "Graphs that were compiled; many: give more --memory."
        )
        compiled.add_metric([], sum(holder.made for holder in holders))
        yield compiled
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
