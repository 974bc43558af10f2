"""The interface of processes that make shards in place of the process that changes an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from place_search.indexer.storage.descriptor_codes import DescriptorType
from place_search.indexer.storage.plan import FinishedShard, ShardPlan


class ShardWorkers(Protocol):
    """Other processes that make shards, byte for byte as this process would make them."""

    def make(
        self,
        folder: Path,
        root: Path,
        shards: Sequence[ShardPlan],
        *,
        local_features: bool,
        descriptor_type: DescriptorType,
    ) -> Iterator[FinishedShard]:
        """Make these shards, in any order; each is in the index folder when it is yielded."""
