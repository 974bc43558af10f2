"""Deletes the files beside an index that failed or undone changes have left."""

import os
from functools import cache
from pathlib import Path

from place_search.indexer.sources.kept_frames import FRAME, drop_frames, frames_folder
from place_search.indexer.sources.kept_views import drop_views, panoramas_in, views_folder
from place_search.indexer.storage.added_folders import settle
from place_search.indexer.storage.contents import Contents
from place_search.indexer.storage.kept_photos import KeptPhotos
from place_search.indexer.storage.manifest import Manifest


def settle_kept_files(index: Path, manifest: Manifest) -> None:
    """Delete kept photos, frames and views that no place has; the index is locked.

    What living processes add stays, and so do the files of places that can be restored.
    """
    KeptPhotos(index).settle(manifest)

    @cache
    def paths() -> list[str]:
        shards = Contents(manifest, manifest.paths(index)).shards  # removed places included
        columns = (shard.column("path").tolist() for shard in shards)
        return [os.fsdecode(path) for column in columns for path in column]

    @cache
    def panoramas() -> set[str]:
        return {name for path in paths() for name in panoramas_in(path.rpartition("/")[0])}

    # A place of a panoramic video has the path of a view, which goes on from that of the frame.
    settle(
        frames_folder(index),
        lambda video: any(f"/{video}/{FRAME}" in f"/{path}" for path in paths()),
        lambda video: drop_frames(index, video),
    )
    settle(
        views_folder(index).parent,
        lambda panorama: panorama in panoramas(),
        lambda panorama: drop_views(index, panorama),
    )
