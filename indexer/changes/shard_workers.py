"""What makes shards in place of the process that changes an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from place_search.indexer.storage.descriptor_codes import DescriptorType
from place_search.indexer.storage.plan import Finished, ShardPlan


class ShardWorkers(Protocol):
    """Other processes that make shards of photos, each exactly as it would be made here."""

    def make(
        self,
        folder: Path,
        root: Path,
        shards: Sequence[ShardPlan],
        *,
        local_features: bool,
        descriptor_type: DescriptorType,
    ) -> Iterator[Finished]:
        """Make these shards, in any order; each is in the index folder when it comes."""
