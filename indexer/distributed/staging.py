"""The exchange of files between machines without a shared disk: any URL of fsspec."""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any

from place_search.core.errors import PlaceSearchError
from place_search.core.files import (
    FileStamp,
    read_regular,
    size_and_time,
    size_of,
    stamp_of,
    write_whole,
)
from place_search.core.text import parse_json
from place_search.indexer.errors import ClusterError
from place_search.indexer.pipeline import NotReadError, read_photo, stored_path
from place_search.indexer.storage.commit import EXCHANGE
from place_search.indexer.storage.plan import FinishedShard, read_finished

_UPLOADS = 8
_DISKS = ("file", "local")
"""The schemes of URLs of folders that fsspec makes only when told to."""
_OWN = re.compile("[0-9a-f]{16}")


class ObjectStoreStaging:
    """A folder of an object store that belongs to one index. Thread-safe.

    Photos are uploaded under a hash of path, size and time; files of shards come back under their
    hash, each shard with a note that is written last. So nobody mixes or tears what another writes,
    such as a node that was believed dead.
    """

    def __init__(self, url: str) -> None:
        """Raises `ClusterError` where no installed package reads such a URL."""
        try:
            import fsspec

            options = {"auto_mkdir": True} if fsspec.utils.get_protocol(url) in _DISKS else {}
            self._store, self._root = fsspec.url_to_fs(
                url.rstrip("/"), use_listings_cache=False, **options
            )
        except (ImportError, ValueError) as error:
            raise ClusterError(
                f"The exchange {url} cannot be used ({error}); install what reads such URLs, as "
                "s3fs for s3://."
            ) from error
        self.url = url

    def of_index(self, folder: Path) -> "ObjectStoreStaging":
        """The part that belongs to the index in `folder`, where a file remembers its name.

        So several runs may have one exchange, and an interrupted run finds what it has left.
        """
        path = folder / EXCHANGE
        # A copy of the index has another folder, and so a part of its own.
        owner = f"{folder.stat().st_ino} {self.url}"
        noted = read_regular(path).decode("utf-8", "replace").strip() if path.exists() else ""
        own_name, _, noted_owner = noted.partition(" ")
        if not _OWN.fullmatch(own_name) or noted_owner != owner:
            own_name = uuid.uuid4().hex[:16]
            write_whole(path, f"{own_name} {owner}\n".encode())
        return ObjectStoreStaging(f"{self.url.rstrip('/')}/{own_name}")

    def upload_photos(self, photos: Iterable[tuple[str, Path]], root: Path) -> dict[str, str]:
        """Upload the photos that are missing, by name. Returns why others cannot be read, by name.

        Raises:
            ClusterError: the store does not work.
            SourceError: the disk of the photos fails.
        """
        with self._store_errors():
            # A photo that a killed run has written in part has another size.
            uploaded = {
                name.rsplit("/", 1)[-1]: found["size"]
                for name, found in self._files("photos").items()
            }
            missing = {name: path for name, path in photos if uploaded.get(name) != size_of(path)}
            with ThreadPoolExecutor(_UPLOADS) as pool:
                reasons = pool.map(self._upload, missing, missing.values(), repeat(root))
                return {
                    name: reason for name, reason in zip(missing, reasons, strict=True) if reason
                }

    def _upload(self, name: str, path: Path, root: Path) -> str:
        try:
            content, _, _ = read_photo(path, root)
        except NotReadError as error:
            return str(error)
        self._store.pipe_file(f"{self._root}/photos/{name}", content)
        return ""

    def take_photo(self, name: str, to: Path, mtime_ns: int) -> None:
        """Fetch a photo, and set its time.

        Raises:
            ClusterError: the store lacks the photo, or does not work.
        """
        with self._store_errors():
            content = self._store.cat_file(f"{self._root}/photos/{name}")
        to.write_bytes(content)
        os.utime(to, ns=(mtime_ns, mtime_ns))

    def put_shard(self, shard: FinishedShard, files: dict[str, bytes], kind: str) -> None:
        """Upload the files of a shard, and then its note.

        Raises:
            ClusterError: the store does not work.
        """
        with self._store_errors():
            for name, content in files.items():
                path, size = self._path_of(shard.files[name]), shard.files[name].bytes
                # On a disk, writing equal content again would empty a file that is being read.
                if not self._has(path, size):
                    self._store.pipe_file(path, content)
            note = json.dumps({**asdict(shard), "kind": kind}).encode()
            self._store.pipe_file(f"{self._root}/finished/{shard.number:05d}.json", note)

    def _has(self, path: str, size: int) -> bool:
        with suppress(FileNotFoundError):
            return bool(self._store.info(path)["size"] == size)
        return False

    def _path_of(self, stamp: FileStamp) -> str:
        return f"{self._root}/shards/{stamp.sha256}"

    def finished(self, kind: str) -> dict[int, FinishedShard]:
        """The finished shards of a `kind`: of this model and these types of numbers.

        Raises:
            ClusterError: the store does not work.
        """
        shards = {}
        with self._store_errors():
            for name in self._files("finished"):
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
                content = self._store.cat_file(self._path_of(stamp))
            if stamp_of(content) != stamp:
                raise ClusterError(
                    f"{self.url} holds a damaged {name}; run the same command again with another "
                    "exchange."
                )
            write_whole(folder / name, content)

    def clear(self, folder: Path) -> None:
        """Remove all files of the index in `folder`, which forgets its part of the exchange.

        Raises:
            ClusterError: the store does not work.
        """
        with self._store_errors():
            if self._store.exists(self._root):
                self._store.rm(self._root, recursive=True)
        (folder / EXCHANGE).unlink(missing_ok=True)

    def _files(self, part: str) -> dict[str, dict[str, Any]]:
        """The files below a part of the exchange, by path, with their sizes."""
        try:
            files: dict[str, dict[str, Any]] = self._store.find(f"{self._root}/{part}", detail=True)
        except FileNotFoundError:
            return {}
        return files

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Turn errors of an object store into `ClusterError`, one sentence."""
        try:
            yield
        except PlaceSearchError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise ClusterError(
                f"The exchange {self.url} does not work ({reason}); mend that, then run the same "
                "command again: finished work is kept."
            ) from error


def photo_name(path: Path, root: Path) -> str:
    """The name of a photo in an exchange."""
    identity = [os.fsencode(stored_path(path, root)).hex(), *(size_and_time(path) or ())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()
