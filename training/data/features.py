"""Loads the inputs of the trained part: photos decoded ahead, or features computed once."""

import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from place_search.core.progress import Progress, silent
from place_search.photos import PhotoError, decode_photo
from place_search.photos.altered_views import Pixels, cover, draw_view
from place_search.photos.opencv import cv2
from place_search.training.config import TrainingConfig
from place_search.training.data.places import Places
from place_search.training.data.shards import Shards
from place_search.training.errors import TrainingError
from place_search.training.process_group import ProcessGroup
from place_search.training.split_network import FrozenPart, weights_stamp

Item: TypeAlias = tuple[int, int]
"""A photo's row, and the number of its view: 0 is the unaltered photo."""

DECODERS = max(2, min(16, (os.cpu_count() or 1) // 2))
"""The number of decoding threads, each with a batch of its own."""
AHEAD = DECODERS + 1
"""The number of batches that are decoded ahead of training."""
ROOM = 1.75
"""The scale of a decoded photo to a view, so that a crop of it is still sharp."""
SHARD_ITEMS = 128
MAX_CACHE_BYTES = 24 << 30


class FeatureLoader:
    """The features of items of `places`, in batches; `waited` are seconds spent waiting for them.

    The frozen part's features are the same in every epoch: if the disk has room, they are computed
    once, into `folder`, and read from there.
    """

    def __init__(
        self,
        places: Places,
        config: TrainingConfig,
        frozen: FrozenPart,
        processes: ProcessGroup,
        folder: Path,
    ) -> None:
        self.places, self.config, self.processes = places, config, processes
        self._frozen, self._folder = frozen, folder
        self._size = config.width, config.height
        self._shards: Shards | None = None
        self._row_at = {row: at for at, row in enumerate(places.used_rows.tolist())}
        self._pool = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")
        self.waited = 0.0

    @property
    def cache_bytes(self) -> int:
        """The size of a cache of all features, in bytes."""
        with torch.no_grad():
            photo = torch.zeros((1, self.config.height, self.config.width, 3), dtype=torch.uint8)
            features = self._frozen(photo.to(self.processes.device))
        return 2 * int(features.numel()) * len(self._row_at) * (1 + self.config.views)

    def worth_caching(self) -> bool:
        """Whether the frozen part has layers and the disk has room for its features."""
        if not len(self._frozen.units):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        free_size = shutil.disk_usage(self._folder).free
        return self.cache_bytes <= min(MAX_CACHE_BYTES, free_size // 2)

    def cache(self, stage: str = "", progress: Progress = silent) -> None:
        """Compute the features of all items that are not cached yet."""
        views = 1 + self.config.views
        rows = list(self._row_at)
        shards = Shards(self._folder, self._stamp(rows), views * len(rows), SHARD_ITEMS)

        def compute(numbers: range) -> NDArray[np.float16]:
            items = [(rows[number // views], number % views) for number in numbers]
            batches = [items[at : at + 16] for at in range(0, len(items), 16)]
            parts = [features.cpu().half().numpy() for features in self.stream(batches)]
            return np.concatenate(parts)

        shards.fill(compute, self.processes, stage, progress)
        self._shards = shards

    def stream(self, batches: Iterable[Sequence[Item]]) -> Iterator[Tensor]:
        """(n, C, h, w) float32 features of each batch, on this process's device, in their order."""
        waiting: deque[Future[Tensor]] = deque()
        try:
            for batch in batches:
                waiting.append(self._pool.submit(self._load, list(batch)))
                if len(waiting) > AHEAD:
                    yield self._features(waiting.popleft())
            while waiting:
                yield self._features(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _features(self, future: Future[Tensor]) -> Tensor:
        started = time.perf_counter()
        loaded = future.result()
        self.waited += time.perf_counter() - started
        loaded = loaded.to(self.processes.device, non_blocking=True)
        if self._shards is not None:
            return loaded.float()
        with torch.no_grad():
            features: Tensor = self._frozen(loaded)
        return features

    def close(self) -> None:
        """End the threads and close the cache."""
        self._pool.shutdown(cancel_futures=True)
        if self._shards is not None:
            self._shards.close()

    def _stamp(self, rows: Sequence[int]) -> str:
        config = self.config
        view_settings = (*self._size, config.views, config.night, config.seed)
        names = [self.places.photos[row] for row in rows]
        text = f"{weights_stamp(self._frozen)} {view_settings} {names}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _load(self, items: Sequence[Item]) -> Tensor:
        if self._shards is not None:
            views = 1 + self.config.views
            numbers = np.array([views * self._row_at[row] + view for row, view in items])
            return torch.from_numpy(self._shards.take(numbers))
        return torch.from_numpy(np.stack([self._pixels(item) for item in items]))

    def _pixels(self, item: Item) -> Pixels:
        row, view = item
        path = self.places.path(row)
        try:
            photo = decode_photo(path, target_size=self._needed)
        except PhotoError as error:
            raise TrainingError(
                f"A photo cannot be read any more ({str(error).rstrip('.')}); bring it back, then "
                "go on with --resume: finished work is kept."
            ) from error
        if view == 0:
            return cover(photo.pixels, self._size)
        random = np.random.default_rng((self.config.seed, row, view))
        return draw_view(
            _shrink(photo.pixels, self._size), self._size, random, night=self.config.night
        )

    def _needed(self, width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, ROOM * max(self._size[0] / width, self._size[1] / height))
        return max(1, round(scale * width)), max(1, round(scale * height))


def _shrink(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    rows, columns = pixels.shape[:2]
    scale = ROOM * max(size[0] / columns, size[1] / rows)
    if scale >= 1:
        return pixels
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)
