"""Photos → an index: sources, the embed pipeline, HDF5 shards, vector stores, build and open."""

from indexer.build import BuildReport, build_index
from indexer.change import ChangeReport
from indexer.compact import compact_index
from indexer.csv_source import csv_column
from indexer.duplicates import Duplicate
from indexer.edition import Progress, ShardWorkers
from indexer.errors import (
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
from indexer.index import Index, open_index
from indexer.index_model import open_index_model
from indexer.manifest import Manifest, Skipped, current_index_id, read_manifest
from indexer.photo_files import PhotoFiles
from indexer.photo_list import PhotoList, Source
from indexer.pipeline import StageClock, embed_photos
from indexer.places import Place, PlacePhoto, Utm, to_position, to_utm
from indexer.remove import remove_places
from indexer.shards import Row
from indexer.sources import open_source
from indexer.split import Split, is_split, read_split
from indexer.store_card import AUTO, KINDS, TARGET_RECALL, StoreCard
from indexer.update import add_photos, sync_photos
from indexer.vectors import Box, Hit, VectorStore, exact_search
from indexer.verify import Problem, VerifyReport, repair_index, verify_index

__all__ = [
    "AUTO",
    "KINDS",
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
    "csv_column",
    "current_index_id",
    "embed_photos",
    "exact_search",
    "is_split",
    "open_index",
    "open_index_model",
    "open_source",
    "read_manifest",
    "read_split",
    "remove_places",
    "repair_index",
    "sync_photos",
    "to_position",
    "to_utm",
    "verify_index",
]
