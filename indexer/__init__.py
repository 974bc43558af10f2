"""Photos → an index: sources, the embed pipeline, HDF5 shards, vector stores, build and open."""

from place_search.indexer.changes.build import BuildReport, build_index
from place_search.indexer.changes.change import ChangeReport, collect_leftovers
from place_search.indexer.changes.compact import compact_index, migrate_index
from place_search.indexer.changes.edit import declare_fields, edit_place
from place_search.indexer.changes.listed_fields import (
    ListedFields,
    keep_listed_fields,
    read_listed_fields,
)
from place_search.indexer.changes.regroup import change_groups, with_views
from place_search.indexer.changes.remove import remove_places, restore_places
from place_search.indexer.changes.update import add_photos, sync_photos
from place_search.indexer.changes.verify import Defect, VerifyReport, repair_index, verify_index
from place_search.indexer.descriptor_files.file_model import (
    DescriptorFileModel,
    descriptor_file_model,
)
from place_search.indexer.descriptor_files.read import open_descriptor_file
from place_search.indexer.errors import (
    ChangeRefusedError,
    EditConflictError,
    FieldError,
    FilterError,
    IndexBusyError,
    IndexFormatError,
    IndexReadError,
    IndexWriteError,
    ModelMismatchError,
    SourceError,
    StoreOutageError,
    UnknownPlaceError,
)
from place_search.indexer.filters import Filter, parse_filter
from place_search.indexer.index import Index, open_index
from place_search.indexer.index_model import fit_model, open_index_model, require_known_model
from place_search.indexer.places import Place, PlacePhoto
from place_search.indexer.sources.open_source import open_source
from place_search.indexer.sources.photo_files import PhotoFiles
from place_search.indexer.sources.photo_list import PhotoList, Source
from place_search.indexer.sources.split import Split, read_split
from place_search.indexer.sources.video_request import VideoRequest, start_of
from place_search.indexer.storage.edits import Edit, Edits, FieldType, FieldValue
from place_search.indexer.storage.groups import Groups
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Skipped, holds_index, read_manifest
from place_search.indexer.storage.shards import Row
from place_search.indexer.stores.store_card import (
    StoreCard,
    require_store_kind,
    store_address,
    store_kinds,
)
from place_search.indexer.stores.vectors import Hit, VectorStore

__all__ = [
    "BuildReport",
    "ChangeRefusedError",
    "ChangeReport",
    "Defect",
    "DescriptorFileModel",
    "Edit",
    "EditConflictError",
    "Edits",
    "FieldError",
    "FieldType",
    "FieldValue",
    "Filter",
    "FilterError",
    "Groups",
    "Hit",
    "Index",
    "IndexBusyError",
    "IndexFormatError",
    "IndexReadError",
    "IndexWriteError",
    "KeptPhotos",
    "ListedFields",
    "ModelMismatchError",
    "PhotoFiles",
    "PhotoList",
    "Place",
    "PlacePhoto",
    "Row",
    "Skipped",
    "Source",
    "SourceError",
    "Split",
    "StoreCard",
    "StoreOutageError",
    "UnknownPlaceError",
    "VectorStore",
    "VerifyReport",
    "VideoRequest",
    "add_photos",
    "build_index",
    "change_groups",
    "collect_leftovers",
    "compact_index",
    "declare_fields",
    "descriptor_file_model",
    "edit_place",
    "fit_model",
    "holds_index",
    "keep_listed_fields",
    "migrate_index",
    "open_descriptor_file",
    "open_index",
    "open_index_model",
    "open_source",
    "parse_filter",
    "read_listed_fields",
    "read_manifest",
    "read_split",
    "remove_places",
    "repair_index",
    "require_known_model",
    "require_store_kind",
    "restore_places",
    "start_of",
    "store_address",
    "store_kinds",
    "sync_photos",
    "verify_index",
    "with_views",
]
