"""The embed pipeline: photos are decoded ahead by a few threads while the model runs."""

import errno
import hashlib
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from place_search.core.ahead import work_ahead
from place_search.core.files import changed_ns, open_regular
from place_search.core.geodesy import both_positions
from place_search.core.memory import keep_freed_memory
from place_search.indexer.errors import SourceError
from place_search.indexer.places import PlacePhoto
from place_search.indexer.storage.manifest import Skipped
from place_search.indexer.storage.shards import Row
from place_search.models import Embedding, Model, encode_grid, is_blank
from place_search.models.model import Views
from place_search.photos import (
    THUMBNAIL_QUALITY,
    THUMBNAIL_SIDE,
    Photo,
    PhotoError,
    encode_jpeg,
    fit_within,
)

MAX_FILE_BYTES = 256 << 20
DECODERS = 2
AHEAD = 8
"""Photos that are being decoded or wait for the model."""
_NOT_YET = Embedding(np.empty(0, np.float32))
"""The embedding of a photo before the model has run."""


class StageClock:
    """Seconds that each stage was busy, summed over threads."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside towards a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            with self._lock:
                self._seconds[name] += elapsed

    def seconds(self) -> dict[str, float]:
        """The seconds by stage."""
        with self._lock:
            return dict(self._seconds)


Numbered: TypeAlias = tuple[int, PlacePhoto]
_Decoded: TypeAlias = tuple[Row, Views]
"""A row without the model's output, and the pixels for the model's networks."""


def embed_photos(
    photos: Iterable[Numbered],
    root: Path,
    model: Model,
    clock: StageClock,
    *,
    decoders: int = DECODERS,
    keep_local_features: bool = True,
) -> Generator[tuple[int, Row | Skipped], None, None]:
    """Embed photos under `root`, numbered in ascending order, which becomes their place id.

    Rows are yielded with the numbers and in the order of the photos; a photo that cannot be read is
    yielded as `Skipped`. Unless `keep_local_features`, rows have no local features.

    Raises:
        SourceError: the cause is not the photo itself, as when a disk fails.
    """
    keep_freed_memory()
    if not keep_local_features:
        model = model.alone()
    ahead = _DecodeAhead(photos, root, model, clock, decoders)
    skipped = ahead.skipped
    try:
        for row, embedding in model.stream_all(ahead):
            # Photos of lower numbers were skipped before the model got this photo.
            while skipped and skipped[0][0] < row.place_id:
                yield skipped.popleft()
            if embedding.is_usable:
                codes, grid = encode_grid(
                    embedding if keep_local_features else embedding._replace(local_features=None)
                )
                position, utm = both_positions(row.position, row.utm)
                described = replace(
                    row,
                    position=position,
                    utm=utm,
                    descriptor=embedding.descriptor,
                    codes=codes,
                    grid=grid,
                    is_blank=is_blank(embedding.local_features),
                )
                yield row.place_id, described
            else:
                reason = "the model gives no finite descriptor for it"
                yield row.place_id, Skipped(row.name, reason)
        yield from skipped
    finally:
        ahead.close()


def stored_path(path: Path, root: Path) -> str:
    """A photo's path as shards hold it: posix under the root, or absolute outside it."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def skipped_name(name: str) -> str:
    """A photo's name for reports: bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def none_readable_error(skipped: Sequence[Skipped], folder: str | Path) -> SourceError:
    """The error for a folder none of whose photos can be read, with the first reason."""
    subject = f"None of the {len(skipped)} photos in {folder} can"
    if len(skipped) == 1:
        subject = f"The only photo in {folder} cannot"
    first = skipped[0]
    return SourceError(f"{subject} be read: {first.name}: {first.reason.rstrip('.')}.")


class _DecodeAhead:
    """Decodes photos in threads while the model runs, and yields them in their order.

    Photos that cannot be read go to `skipped`.
    """

    def __init__(
        self, photos: Iterable[Numbered], root: Path, model: Model, clock: StageClock, decoders: int
    ) -> None:
        self.skipped: deque[tuple[int, Skipped]] = deque()
        self._clock = clock
        self._decoded = work_ahead(
            lambda numbered: (numbered[0], _decode(*numbered, root, model, clock)),
            photos,
            threads=decoders,
            ahead=AHEAD,
            name="decode",
        )

    def __iter__(self) -> Iterator[_Decoded]:
        while True:
            with self._clock.stage("waiting for photos"):
                decoded = next(self._decoded, None)
            if decoded is None:
                return
            number, result = decoded
            if isinstance(result, Skipped):
                self.skipped.append((number, result))
            else:
                yield result

    def close(self) -> None:
        """Stop: no further photo is decoded."""
        self._decoded.close()


def _decode(
    number: int, photo: PlacePhoto, root: Path, model: Model, clock: StageClock
) -> _Decoded | Skipped:
    with clock.stage("decode"):
        try:
            photo.name.encode()
        except UnicodeEncodeError:
            return Skipped(skipped_name(photo.name), "its file name is not UTF-8; rename it")
        try:
            content, size, mtime_ns = read_photo(photo.path, root)
            read = model.read(content)
        except (PhotoError, NotReadError) as error:
            return Skipped(photo.name, str(error))
        views = model.prepare_all(read)
    with clock.stage("thumbnail"):
        thumbnail = _thumbnail(read, views)
    codes, grid = encode_grid(_NOT_YET)
    row = Row(
        place_id=number,
        name=photo.name,
        # Photos beside the index are found by the end of the path: its start may be escaped.
        path=skipped_name(stored_path(photo.path, root)),
        position=photo.position if photo.is_placed else read.position,
        utm=photo.utm,
        width=read.width,
        height=read.height,
        size=size,
        mtime_ns=mtime_ns,
        content=hashlib.sha256(content).digest(),
        descriptor=_NOT_YET.descriptor,
        codes=codes,
        grid=grid,
        thumbnail=thumbnail,
        notes=() if photo.is_placed else read.notes,
        sequence=photo.sequence,
        taken=read.taken if photo.taken is None else photo.taken,
        heading=photo.heading,
    )
    return row, views


def _thumbnail(photo: Photo, views: Views) -> bytes:
    size = fit_within(photo.width, photo.height, THUMBNAIL_SIDE)
    # The pixels for the model show the whole photo too, and are quicker to shrink.
    for pixels in views:
        if pixels.shape[1] >= size[0] and pixels.shape[0] >= size[1]:
            return encode_jpeg(pixels, size, quality=THUMBNAIL_QUALITY)
    return encode_jpeg(photo.pixels, size, quality=THUMBNAIL_QUALITY)


class NotReadError(Exception):
    """The reason why the file of a photo cannot be read."""


MISSING_FILE = "it does not exist any more"
_FAULTS_OF_FILE = {
    errno.ENOENT: MISSING_FILE,
    errno.ENOTDIR: MISSING_FILE,
    errno.EACCES: "it may not be read; check its permissions",
    errno.EPERM: "it may not be read; check its permissions",
    errno.ELOOP: "it is a link that leads to itself",
    errno.ENAMETOOLONG: "its path is too long",
    errno.ENXIO: "it is not a regular file",
    errno.EISDIR: "it is not a regular file",
}
"""Reasons by errors of a single file, not of its disk."""
NOT_READ = frozenset(_FAULTS_OF_FILE.values())
"""The reasons for a photo whose file is not there or cannot be opened."""


def read_photo(path: Path, root: Path) -> tuple[bytes, int, int]:
    """The bytes, size and modification time of a photo, of one opened file.

    Raises:
        NotReadError: the file cannot be read, for a reason of its own.
        SourceError: the disk fails, or the folder `root` is not there.
    """
    try:
        with open_regular(path) as stream:
            status = os.fstat(stream.fileno())
            if status.st_size > MAX_FILE_BYTES:
                limit = f"{MAX_FILE_BYTES >> 20} MB"
                raise NotReadError(f"its file is over {limit}; save it in a smaller format")
            return stream.read(), status.st_size, changed_ns(status)
    except OSError as error:
        reason = _FAULTS_OF_FILE.get(error.errno or 0)
        if reason is not None and root.is_dir():
            raise NotReadError(reason) from None
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); mend that, then run the same command "
            "again: finished work is kept."
        ) from error
