"""A source of photos, whatever kind it is of."""

from pathlib import Path

from place_search.core.plugins import load_part, part_names
from place_search.indexer.errors import SourceError
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.video_request import VideoRequest
from place_search.indexer.storage.manifest import holds_index

KINDS = "place_search.indexer.sources.kinds"


def open_source(data: Path, root: Path | None = None, video: VideoRequest | None = None) -> Source:
    """List the photos of a folder, those that a CSV file names, or the database of a split.

    The photos of a split (`.mat`, `.npz`) are under `root`: by default the folder of the file. The
    frames of a video are taken as `video` says, and only with it.

    Raises:
        VideoError: a video that cannot be read.
        SourceError: there is no photo to index, or the list is wrong.
    """
    data = Path(data)
    if not data.exists():
        raise SourceError(f"{data} does not exist; give a folder of photos or a .csv file.")
    if holds_index(data):
        raise SourceError(f"{data} is an index and holds no photos; name the folder of the photos.")
    kinds = [load_part(KINDS, name) for name in part_names(KINDS)]
    for kind in kinds:
        if kind.reads(data):
            source: Source
            if hasattr(kind, "extract"):
                source = kind.extract(data, video)
            elif video is not None and video.is_for_video:
                raise SourceError(
                    f"{data} is no video, so frames and a GPX file make no sense; leave them out."
                )
            else:
                source = kind.read(data, root)
            return source
    raise SourceError(
        f"{data} is of no kind that is known; give {', or '.join(k.ACCEPTS for k in kinds)}."
    )
