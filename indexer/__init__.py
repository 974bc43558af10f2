"""Photos → an index: sources, the embed pipeline, HDF5 shards, vector stores, build and open."""

from indexer.build import BuildReport, Progress, build_index
from indexer.csv_source import csv_column
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
from indexer.photo_files import PhotoFiles
from indexer.photo_list import PhotoList, Source
from indexer.pipeline import StageClock, embed_photos
from indexer.places import Place, PlacePhoto, Utm, to_position, to_utm
from indexer.shards import Row
from indexer.sources import open_source
from indexer.split import Split, is_split, read_split
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
    "PhotoFiles",
    "PhotoList",
    "Place",
    "PlacePhoto",
    "Progress",
    "Row",
    "Skipped",
    "Source",
    "SourceError",
    "Split",
    "StageClock",
    "UnknownPlaceError",
    "Utm",
    "VectorStore",
    "build_index",
    "csv_column",
    "embed_photos",
    "exact_search",
    "is_split",
    "open_index",
    "open_source",
    "read_manifest",
    "read_split",
    "to_position",
    "to_utm",
]
