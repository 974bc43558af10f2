"""The exchange of files between machines without a shared disk: any URL of fsspec."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from place_search.core.files import read_regular, stamp_of, write_whole
from place_search.core.text import parse_json
from place_search.indexer.errors import ClusterError
from place_search.indexer.pipeline import MAX_FILE_BYTES, stored_path
from place_search.indexer.storage.plan import FinishedShard, read_finished

_UPLOADS = 8


class ObjectStoreStaging:
    """A folder of an object store that belongs to one run. Thread-safe.

    Photos are uploaded under a hash of path, size and time; shards come back under their own names,
    each with a note that is written last.
    """

    def __init__(self, url: str) -> None:
        """Raises `ClusterError` where no installed package reads such a URL."""
        try:
            import fsspec

            self._store, self._root = fsspec.url_to_fs(url.rstrip("/"), use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ClusterError(
                f"The exchange {url} cannot be used ({error}); install what reads such URLs, as "
                "s3fs for s3://."
            ) from error
        self.url = url

    def upload_photos(self, photos: Iterable[Path], root: Path) -> None:
        """Upload the photos that are missing; unreadable photos are left out.

        Raises:
            ClusterError: the store does not work.
        """
        with self._store_errors():
            uploaded = {name.rsplit("/", 1)[-1] for name in self._names("photos")}
            missing = {name: path for path in photos if (name := photo_name(path, root))}
            for name in uploaded & missing.keys():
                del missing[name]
            with ThreadPoolExecutor(_UPLOADS) as pool:
                list(pool.map(self._upload, missing, missing.values()))

    def _upload(self, name: str, path: Path) -> None:
        try:
            content = read_regular(path)
        except OSError:
            return
        self._store.pipe_file(f"{self._root}/photos/{name}", content)

    def take_photo(self, name: str, to: Path, mtime_ns: int) -> None:
        """Fetch a photo, and set its time; without effect where the store lacks the photo."""
        try:
            content = self._store.cat_file(f"{self._root}/photos/{name}")
        except FileNotFoundError:
            return
        to.write_bytes(content)
        os.utime(to, ns=(mtime_ns, mtime_ns))

    def put_shard(self, shard: FinishedShard, files: dict[str, bytes], kind: str) -> None:
        """Upload the files of a shard, and then its note."""
        for name, content in files.items():
            self._store.pipe_file(f"{self._root}/{name}", content)
        note = json.dumps({**asdict(shard), "kind": kind}).encode()
        self._store.pipe_file(f"{self._root}/finished/{shard.number:05d}.json", note)

    def finished(self, kind: str) -> dict[int, FinishedShard]:
        """The finished shards of a `kind`: of this model and these types of numbers.

        Raises:
            ClusterError: the store does not work.
        """
        shards = {}
        with self._store_errors():
            for name in self._names("finished"):
                try:
                    table = parse_json(self._store.cat_file(name))
                    if table.pop("kind") == kind:
                        shard = read_finished(table)
                        shards[shard.number] = shard
                except (ValueError, KeyError, TypeError):
                    continue  # torn: the shard is made again
        return shards

    def take_shard(self, shard: FinishedShard, folder: Path) -> None:
        """Fetch the files of a shard into an index.

        Raises:
            ClusterError: a file does not match its note, or the store does not work.
        """
        for name, stamp in shard.files.items():
            with self._store_errors():
                content = self._store.cat_file(f"{self._root}/{name}")
            if stamp_of(content) != stamp:
                raise ClusterError(
                    f"{self.url} holds a damaged {name}; run the same command again with another "
                    "exchange."
                )
            write_whole(folder / name, content)

    def clear(self) -> None:
        """Remove all files of the run.

        Raises:
            ClusterError: the store does not work.
        """
        with self._store_errors():
            for part in ("photos", "descriptors", "thumbnails", "finished"):
                if self._store.exists(f"{self._root}/{part}"):
                    self._store.rm(f"{self._root}/{part}", recursive=True)

    def _names(self, part: str) -> list[str]:
        try:
            names: list[str] = self._store.find(f"{self._root}/{part}")
        except FileNotFoundError:
            return []
        return names

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Turn errors of an object store into `ClusterError`, one sentence."""
        try:
            yield
        except ClusterError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise ClusterError(
                f"The exchange {self.url} does not work ({reason}); mend that, then run the same "
                "command again: finished work is kept."
            ) from error


def photo_name(path: Path, root: Path) -> str:
    """The name of a photo in an exchange; '' where the photo cannot be read or is too large."""
    try:
        status = path.stat()
    except OSError:
        return ""
    if not path.is_file() or status.st_size > MAX_FILE_BYTES:
        return ""
    identity = [os.fsencode(stored_path(path, root)).hex(), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()
