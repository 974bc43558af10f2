"""Photos → an index: sources, the embed pipeline, HDF5 shards, vector stores, build and open."""

from place_search.core.geodesy import Box, Utm, to_position, to_utm
from place_search.core.progress import Progress
from place_search.indexer.changes.build import BuildReport, build_index
from place_search.indexer.changes.change import ChangeReport
from place_search.indexer.changes.compact import compact_index
from place_search.indexer.changes.duplicates import Duplicate
from place_search.indexer.changes.remove import remove_places
from place_search.indexer.changes.update import add_photos, sync_photos
from place_search.indexer.changes.verify import Problem, VerifyReport, repair_index, verify_index
from place_search.indexer.changes.version_builder import ShardWorkers
from place_search.indexer.errors import (
    ClusterError,
    CollectionLostError,
    IndexBusyError,
    IndexFormatError,
    IndexWriteError,
    ModelMismatchError,
    SourceError,
    StoreOutageError,
    UnknownPlaceError,
)
from place_search.indexer.index import Index, open_index
from place_search.indexer.index_model import open_index_model
from place_search.indexer.pipeline import StageClock, embed_photos
from place_search.indexer.places import PhotoNote, Place, PlacePhoto
from place_search.indexer.sources.open_source import open_source
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.split import Split, is_split, read_split
from place_search.indexer.storage.manifest import (
    Manifest,
    Skipped,
    current_index_id,
    holds_index,
    read_manifest,
)
from place_search.indexer.storage.shards import Row
from place_search.indexer.stores.store_card import AUTO, TARGET_RECALL, StoreCard, store_kinds
from place_search.indexer.stores.vectors import Hit, VectorStore, exact_search

__all__ = [
    "AUTO",
    "TARGET_RECALL",
    "Box",
    "BuildReport",
    "ChangeReport",
    "ClusterError",
    "CollectionLostError",
    "Duplicate",
    "Hit",
    "Index",
    "IndexBusyError",
    "IndexFormatError",
    "IndexWriteError",
    "Manifest",
    "ModelMismatchError",
    "PhotoFiles",
    "PhotoList",
    "PhotoNote",
    "Place",
    "PlacePhoto",
    "Problem",
    "Progress",
    "Row",
    "ShardWorkers",
    "Skipped",
    "Source",
    "SourceError",
    "Split",
    "StageClock",
    "StoreCard",
    "StoreOutageError",
    "UnknownPlaceError",
    "Utm",
    "VectorStore",
    "VerifyReport",
    "add_photos",
    "build_index",
    "compact_index",
    "current_index_id",
    "embed_photos",
    "exact_search",
    "holds_index",
    "is_split",
    "open_index",
    "open_index_model",
    "open_source",
    "read_manifest",
    "read_split",
    "remove_places",
    "repair_index",
    "store_kinds",
    "sync_photos",
    "to_position",
    "to_utm",
    "verify_index",
]
