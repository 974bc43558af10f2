"""The manifest: the file that makes a folder an index, and lists the files of the index."""

import base64
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import shell_command
from place_search.core.files import FileStamp, read_regular, replacing
from place_search.core.text import parse_json
from place_search.indexer.errors import IndexFormatError, ModelMismatchError, read_refusal
from place_search.indexer.storage.descriptor_codes import FLOAT32, INT8, DescriptorType
from place_search.indexer.storage.edits import is_edits_file
from place_search.indexer.storage.groups import GROUPS
from place_search.indexer.storage.shards import JOINED, SHARDS, THUMBNAILS, pack_of
from place_search.models import Model

MANIFEST = "manifest.json"
JOURNAL = "building.jsonl"
CALIBRATION = "calibration.json"
"""The calibration that may lie beside the manifest."""
FORMAT = "place-search index"
FORMAT_VERSION = 3
CHANGEABLE = 2
"""The oldest format version of an index that can be changed; older ones can be searched."""

FAISS_KINDS = ("exact", "rabitq", "ivf-rabitq", "hnsw-sq8")
"""Vector stores whose file is `index.faiss`; that of any other kind is `index.KIND`."""

UNKNOWN_FAMILY = "given"
"""The family of an unknown model, whose descriptors came from a file."""

_STORE_FILE = re.compile(r"index\.[a-z0-9][a-z0-9-]*")
_NUMBERED = re.compile(rf"(?:{SHARDS}|{THUMBNAILS})/(\d{{5,}})\.h5")


class Skipped(NamedTuple):
    """A photo that was left out, and why."""

    name: str
    reason: str


ForgottenPhotos: TypeAlias = Mapping[str, FileStamp | None]
"""Photos whose places were removed by hand, by stored path; None where no stamp was noted."""


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`.

    `model` is the model's card with its `fingerprint`, `verifier` that of the second model whose
    local features are kept, None where they are the model's own; `source` has `root` and `kind`;
    `files` are named relative to the index; `shards` are those that hold descriptors, by ascending
    place ids, and `tombstones` tell which of their places are removed (see `encode_ids`); ids from
    `next_place_id` on have never been given to a place. `forgotten` are the photos whose places
    were removed by hand, so that `sync` leaves them out. `descriptor_type` is that of the numbers
    in the shards.
    """

    index_id: str
    created: str
    model: Mapping[str, Any]
    source: Mapping[str, str]
    store: Mapping[str, Any]
    files: Mapping[str, FileStamp]
    shards: Sequence[str]
    places: int
    next_place_id: int
    tombstones: str = ""
    skipped: Sequence[Skipped] = ()
    local_features: bool = True
    verifier: Mapping[str, Any] | None = None
    forgotten: ForgottenPhotos = field(default_factory=dict)
    descriptor_type: DescriptorType = FLOAT32
    format_version: int = FORMAT_VERSION

    @cached_property
    def removed_ids(self) -> NDArray[np.int64]:
        """The ids of removed places that the shards still hold, ascending."""
        return decode_ids(self.tombstones)

    @cached_property
    def root(self) -> Path:
        """The folder that the stored paths of photos are relative to."""
        return Path(self.source["root"])

    @property
    def precision(self) -> str:
        """The precision of the descriptors; indexes that do not say it are of float32."""
        return str(self.model.get("precision", "f32"))

    def is_made_by(self, model: Model, folder: Path | str) -> bool:
        """Whether a model's descriptors compare with those of this index.

        An error names the index by its `folder`, or by other words.

        Raises:
            ModelMismatchError: the index has int8 descriptors of another kind of processor.
        """
        return _is_entry_of(self.model, model, folder)

    def keeps_features_of(self, model: Model, folder: Path | str) -> bool:
        """Whether a model's local features compare with those of this index.

        Raises: as `is_made_by`.
        """
        return _is_entry_of(self.verifier or self.model, model.verifier or model, folder)

    @property
    def has_known_model(self) -> bool:
        """Whether the model of the descriptors is known; else they came from a file without one."""
        return self.model.get("family") != UNKNOWN_FAMILY

    @property
    def store_file(self) -> str:
        """The file of the vector store."""
        return store_file(str(self.store["kind"]))

    @property
    def has_no_store_file(self) -> bool:
        """Whether the vector store compares the shards' own rows."""
        return self.store["kind"] == "exact" and self.store_file not in self.files

    @property
    def bytes(self) -> int:
        """The bytes of all files on disk."""
        return sum(stamp.bytes for stamp in self.files.values())

    @property
    def removed(self) -> int:
        """The number of removed places that the shards still hold."""
        return len(self.removed_ids)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the file."""
        return {
            "format": FORMAT,
            "format_version": self.format_version,
            "index_id": self.index_id,
            "created": self.created,
            "model": dict(self.model),
            "counts": {
                "places": self.places,
                "removed": self.removed,
                "skipped": len(self.skipped),
            },
            "next_place_id": self.next_place_id,
            "source": dict(self.source),
            "store": dict(self.store),
            "descriptor_type": self.descriptor_type,
            "cells": self.local_features,
            **({} if self.verifier is None else {"verifier": dict(self.verifier)}),
            "skipped": [skipped._asdict() for skipped in self.skipped],
            **({"forgotten": _forgotten_json(self.forgotten)} if self.forgotten else {}),
            "shards": list(self.shards),
            "tombstones": self.tombstones,
            # Apart from `files`: versions before 0.2 refuse files that they do not know.
            **({"groups": asdict(self.files[GROUPS])} if GROUPS in self.files else {}),
            "files": {
                name: asdict(stamp) for name, stamp in sorted(self.files.items()) if name != GROUPS
            },
        }

    def paths(self, folder: Path) -> dict[str, Path]:
        """The paths of all files of the index in this folder, by their names."""
        return {name: folder / name for name in self.files}

    def write(self, folder: Path) -> None:
        """Replace the manifest of a folder: from then on the index is of this version."""
        with replacing(folder / MANIFEST) as part:
            part.write_bytes(with_checksum(self.to_json()))
            share(part, folder)


def share(file: Path, index: Path) -> None:
    """Let all read a new file of an index who may read it, whatever the umask of this process."""
    with suppress(OSError):  # there is no manifest yet, or the drive knows no permissions
        readers = stat.S_IMODE((index / MANIFEST).stat().st_mode) & 0o444
        file.chmod(stat.S_IMODE(file.stat().st_mode) | readers)


def _forgotten_json(forgotten: ForgottenPhotos) -> dict[str, Any]:
    return {path: stamp and asdict(stamp) for path, stamp in sorted(forgotten.items())}


def _parse_forgotten(entries: Mapping[str, Any] | Sequence[str]) -> ForgottenPhotos:
    if isinstance(entries, Mapping):
        return {str(path): stamp and FileStamp(**stamp) for path, stamp in entries.items()}
    return dict.fromkeys(map(str, entries))  # older manifests have paths alone


def store_file(kind: str) -> str:
    """The name of the file of a kind of vector store."""
    # Format version 1 called the exact store flat.
    return f"index.{'faiss' if kind in (*FAISS_KINDS, 'flat') else kind}"


def is_fixed_name(name: str) -> bool:
    """Whether a file keeps its name from one version of an index to the next."""
    return name in (JOINED, GROUPS) or _STORE_FILE.fullmatch(name) is not None


def number_of(name: str) -> int | None:
    """The number of a shard or of a pack of thumbnails; None for any other file of an index."""
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match else None


def content_id(
    fingerprint: str, shards: Sequence[FileStamp], removed: NDArray[np.int64], *store: object
) -> str:
    """The id of an index: a hash of its places, model and kind of store, not of its folder."""
    removed_digest = hashlib.sha256(removed.astype("<i8").tobytes()).hexdigest()
    parts = [
        FORMAT_VERSION,
        fingerprint,
        [shard.sha256 for shard in shards],
        removed_digest,
        *store,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def encode_ids(ids: NDArray[np.int64]) -> str:
    """Place ids as text: base64 of deflated bits, a bit for each id from 0 on, lowest first."""
    if not len(ids):
        return ""
    flags = np.zeros(int(ids.max()) + 1, np.bool_)
    flags[ids] = True
    packed = np.packbits(flags, bitorder="little").tobytes()
    return base64.b64encode(zlib.compress(packed)).decode()


def decode_ids(text: str) -> NDArray[np.int64]:
    """The ascending place ids of a text of `encode_ids`. Raises ValueError."""
    if not text:
        return np.empty(0, np.int64)
    try:
        packed = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(text) from error
    return np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little"))


def with_checksum(table: Mapping[str, Any]) -> bytes:
    """A JSON object with the sha256 of its text as the last key."""
    digest = hashlib.sha256(json.dumps(table, indent=1).encode()).hexdigest()
    return json.dumps({**table, "sha256": digest}, indent=1).encode() + b"\n"


def model_entry(model: Model) -> dict[str, Any]:
    """The entry of a model in a manifest: its card and its fingerprint."""
    entry = {"id": model.card.id, "fingerprint": model.fingerprint, **asdict(model.card)}
    plain: dict[str, Any] = json.loads(json.dumps(entry, default=dict))
    return plain


def _is_entry_of(made_by: Mapping[str, Any], model: Model, folder: Path | str) -> bool:
    """Whether a manifest's entry is of a model; see `Manifest.is_made_by`."""
    card = model.card
    if model.fingerprint == made_by["fingerprint"]:
        return True
    if "saturates" not in made_by:  # version 0.1 did not keep it
        card = replace(card, saturates=False)
    if card.fingerprint == made_by["fingerprint"]:
        return True
    if replace(card, saturates=not card.saturates).fingerprint == made_by["fingerprint"]:
        with_or_without, lacks_or_has = ("with", "lacks") if card.saturates else ("without", "has")
        advice = "--precision f32" if card.precision == "int8" else "a model that is not quantised"
        raise ModelMismatchError(
            f"{folder} was made in int8 on a processor {with_or_without} VNNI or AMX, which this "
            f"one {lacks_or_has}, and int8 descriptors differ between the two; index the photos "
            f"again, with {advice} for an index that fits any processor."
        )
    return False


def holds_index(folder: Path) -> bool:
    """Whether a folder has a manifest, whole or not; false where the folder may not be read."""
    return os.path.isfile(folder / MANIFEST)  # noqa: PTH113 - a path's is_file raises


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an index.

    Raises:
        IndexFormatError: no index there, an unfinished or damaged one, or one of a newer format.
        IndexReadError: the manifest may not or cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = read_regular(path)
        table = parse_json(content.decode("utf-8"))
    except NotADirectoryError:
        raise IndexFormatError(f"{folder} is a file; name the folder of an index.") from None
    except FileNotFoundError:
        raise IndexFormatError(_no_index(folder)) from None
    except OSError as error:
        raise read_refusal(path, error) or IndexFormatError(
            f"{path} cannot be read ({error.strerror}); mend that."
        ) from error
    except ValueError:
        raise IndexFormatError(
            f"{path} is damaged; make the index again in an empty folder."
        ) from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise IndexFormatError(
            f"{folder} holds no place-search index: its {MANIFEST} belongs to something else."
        )
    version = table.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise IndexFormatError(
            f"{folder} was made by a newer place-search (format {version}, this one reads up to "
            f"{FORMAT_VERSION}); upgrade place-search or make the index again."
        )
    try:
        # Version 1 had no checksum of its own.
        unsigned = {key: value for key, value in table.items() if key != "sha256"}
        if (version != 1 or "sha256" in table) and with_checksum(unsigned) != content:
            raise ValueError(MANIFEST)
        return _parse(table)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise IndexFormatError(
            f"{path} is damaged; make the index again in an empty folder."
        ) from None


def _parse(table: dict[str, Any]) -> Manifest:
    files = {name: FileStamp(**stamp) for name, stamp in table["files"].items()}
    for name in files:
        # Anybody may have written the manifest: no name may lead out of the folder.
        if not (is_fixed_name(name) or is_edits_file(name) or number_of(name) is not None):
            raise ValueError(name)
    if "groups" in table:
        files[GROUPS] = FileStamp(**table["groups"])
    numbered = [name for name in files if name.startswith(f"{SHARDS}/")]
    manifest = Manifest(
        format_version=int(table["format_version"]),
        index_id=str(table["index_id"]),
        created=str(table["created"]),
        model=dict(table["model"]),
        source=dict(table["source"]),
        store=dict(table["store"]),
        files=files,
        shards=tuple(
            table["shards"]
            if table["format_version"] > 1
            else sorted(numbered, key=lambda name: (len(name), name))
        ),
        tombstones=str(table.get("tombstones", "")),
        places=int(table["counts"]["places"]),
        next_place_id=int(table["next_place_id"]),
        skipped=tuple(Skipped(**row) for row in table["skipped"]),
        local_features=bool(table.get("cells", True)),
        verifier=dict(table["verifier"]) if "verifier" in table else None,
        forgotten=_parse_forgotten(table.get("forgotten", {})),
        descriptor_type=INT8 if table.get("descriptor_type") == INT8 else FLOAT32,
    )
    if not re.fullmatch(r"[0-9a-f]{16}", manifest.index_id) or not manifest.shards:
        raise ValueError(manifest.index_id)
    _ = manifest.removed_ids
    if sorted(manifest.shards) != sorted(numbered) or sum(map(is_edits_file, files)) > 1:
        raise ValueError(manifest.shards)
    for name in (JOINED,) if manifest.has_no_store_file else (manifest.store_file, JOINED):
        files[name]
    for name in manifest.shards:
        files[pack_of(name)]
    _ = manifest.model["id"], manifest.model["fingerprint"], manifest.model["dims"]
    _ = manifest.verifier and (manifest.verifier["id"], manifest.verifier["fingerprint"])
    _ = manifest.source["root"], manifest.store["kind"]
    return manifest


def _no_index(folder: Path) -> str:
    if (folder / JOURNAL).is_file():
        return (
            f"The index {folder} was never finished; run the same `place-search index` command "
            "again to finish it."
        )
    if folder.is_dir() and any(folder.iterdir()):
        return f"{folder} holds no index; make one with `place-search index PHOTOS --out INDEX`."
    where = "holds no index" if folder.is_dir() else "does not exist"
    index = shell_command("index", "PHOTOS", "--out", folder)
    return f"{folder} {where}; make one with {index}."
