"""Photos → an index: sources, the embed pipeline, HDF5 shards, vector stores, build and open."""

from indexer.build import BuildReport, Progress, build_index
from indexer.errors import (
    IndexBusyError,
    IndexFormatError,
    IndexWriteError,
    ModelMismatchError,
    SourceError,
    UnknownPlaceError,
)
from indexer.index import Index, open_index
from indexer.manifest import Manifest, Skipped, read_manifest
from indexer.photo_list import PhotoList, Source
from indexer.pipeline import StageClock, embed_photos
from indexer.places import Place, PlacePhoto, Utm, to_position, to_utm
from indexer.sources import open_source
from indexer.vectors import Hit, VectorStore, exact_search

__all__ = [
    "BuildReport",
    "Hit",
    "Index",
    "IndexBusyError",
    "IndexFormatError",
    "IndexWriteError",
    "Manifest",
    "ModelMismatchError",
    "PhotoList",
    "Place",
    "PlacePhoto",
    "Progress",
    "Skipped",
    "Source",
    "SourceError",
    "StageClock",
    "UnknownPlaceError",
    "Utm",
    "VectorStore",
    "build_index",
    "embed_photos",
    "exact_search",
    "open_index",
    "open_source",
    "read_manifest",
    "to_position",
    "to_utm",
]
