"""The card of a vector store in the manifest: its kind, chosen by size, and its settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from place_search.core.plugins import has_part, part_names
from place_search.core.text import needed_bytes
from place_search.indexer.errors import IndexFormatError, IndexWriteError
from place_search.indexer.storage.manifest import FAISS_KINDS, Manifest

KINDS = "place_search.indexer.stores.kinds"
"""The package of the kinds of store."""
AUTO = "auto"

# Exact search takes 2 ms for 10,000 × 1,024 numbers on one core, and FAISS scans 6 GB of one-bit
# codes a second, so that these sizes take some 7 ms and 3 ms. Beyond `SCAN_BYTES`, lists of near
# descriptors save most of it.
EXACT_BYTES = 128 << 20
SCAN_BYTES = 16 << 20

DEAD_SHARE = 0.2
"""The share of removed places from which a store is built anew."""

TARGET_RECALL = 0.98
"""Recall@10 against exact search; a store below that causes a warning."""

_ROWS_A_LIST = 1000
_SCHEMES = ("http", "https", "tcp", "unix")


@dataclass(frozen=True, slots=True)
class StoreCard:
    """The entry of a vector store in the manifest.

    `requested` is a kind or `auto`, `why` the reason for the kind in words. The file holds `count`
    vectors, of the places up to the id `max_place_id`; its codes and lists were fitted to `trained`
    vectors. A search scans `probes` of its `lists`, and compares the best `candidates` exactly.
    `recall_at_10` against exact search was measured when the file was built. `uri` is the address
    of a separate engine.
    """

    kind: str
    dims: int
    requested: str = AUTO
    why: str = ""
    count: int = 0
    max_place_id: int = -1
    trained: int = 0
    lists: int = 0
    probes: int = 0
    candidates: int = 200
    recall_at_10: float | None = None
    uri: str = ""

    @classmethod
    def read(cls, table: Mapping[str, Any], *, places: int, next_place_id: int) -> "StoreCard":
        """The card from the manifest of an index of `places` places.

        Raises:
            IndexFormatError: a kind of store that this version does not know.
        """
        table = dict(table)
        if "through" not in table:  # format version 1
            table["kind"] = {"flat": "exact"}.get(table["kind"], table["kind"])
            table |= {"count": places, "through": next_place_id - 1, "trained": places}
        table["max_place_id"] = table.pop("through")
        field_names = {field.name for field in fields(cls)}
        if not is_store_kind(kind := str(table.get("kind"))):
            raise IndexFormatError(
                f"The index uses a vector store '{kind}' that is not known here; install the "
                "version or the package that it is of, or make another of its descriptors: "
                f"`place-search compact INDEX --store {AUTO}`."
            )
        if not table.keys() <= field_names:
            raise IndexFormatError(
                "The index uses a vector store that this version does not know; make another of "
                f"its descriptors: `place-search compact INDEX --store {AUTO}`."
            )
        return cls(**table)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the card in a manifest."""
        table = asdict(self)
        table["through"] = table.pop("max_place_id")
        if not self.uri:
            del table["uri"]
        return table

    def built_of(self, place_ids: NDArray[np.int64]) -> "StoreCard":
        """The card of a new file of all places, (N,) ascending ids."""
        count = len(place_ids)
        return replace(
            self, count=count, trained=count, max_place_id=int(place_ids[-1]), recall_at_10=1.0
        )

    @property
    def explanation(self) -> str:
        """The kind, the reason, and the recall where it can be below 1, in words."""
        recall = None if self.kind == "exact" else self.recall_at_10
        measured = "" if recall is None else f"; recall@10 {recall:.3f} against exact search"
        return f"{self.kind}: {self.why}{measured}"


def is_store_kind(kind: str) -> bool:
    """Whether there is such a kind of vector store."""
    return has_part(KINDS, kind)


def require_store_kind(kind: str) -> None:
    """Make sure that `kind` is a kind of store or `auto`. Raises `IndexWriteError`."""
    if kind != AUTO and (not isinstance(kind, str) or "_" in kind or not is_store_kind(kind)):
        raise IndexWriteError(
            f"'{kind}' is no kind of vector store; name one of {AUTO}, {', '.join(store_kinds())}."
        )


def store_address(kind: str, uri: str) -> str:
    """The address of the engine of a kind of store, of a file its full path; "" for no engine.

    Raises:
        IndexWriteError: there is no such kind; the address is missing, no address of a Milvus, or
            holds a password.
    """
    require_store_kind(kind)
    if kind in (AUTO, *FAISS_KINDS) or not (uri or kind == "milvus"):
        return ""
    if not uri:
        raise IndexWriteError("--store milvus needs --uri, as http://HOST:19530 or NAME.db.")
    if "@" in uri:
        raise IndexWriteError(
            "--uri is kept in the index, so it must hold no password; use "
            "PLACE_SEARCH_MILVUS_TOKEN."
        )
    scheme, is_address, _ = uri.partition("://")
    if kind == "milvus" and not (scheme in _SCHEMES if is_address else uri.endswith(".db")):
        raise IndexWriteError(
            f"'{uri:.80}' is no --uri of a Milvus; write http://HOST:19530, or NAME.db for a file."
        )
    return uri if is_address else str(Path(uri).resolve())


def store_kinds() -> list[str]:
    """All kinds of vector store, those of other distributions included."""
    return list(part_names(KINDS))


def store_card(manifest: Manifest) -> StoreCard:
    """The card in a manifest.

    Raises:
        IndexFormatError: a kind of store that this version does not know.
    """
    return StoreCard.read(
        manifest.store, places=manifest.places, next_place_id=manifest.next_place_id
    )


def code_dims(dims: int) -> int:
    """The bits of a one-bit code: the next power of two, as a rotated descriptor has."""
    return 1 << (dims - 1).bit_length()


def choose_store(
    count: int, dims: int, *, requested: str = AUTO, exact_bytes: int = EXACT_BYTES, uri: str = ""
) -> StoreCard:
    """The card of a store for `count` descriptors: of the requested kind, or chosen by size.

    Raises:
        IndexWriteError: an unknown kind is requested.
    """
    require_store_kind(requested)
    exact, codes = count * dims * 4, count * code_dims(dims) // 8
    whole, coded = needed_bytes(exact), needed_bytes(codes)
    size = f"{count} × {dims} numbers"
    if requested != AUTO:
        kind, why = requested, "as requested"
    elif exact <= exact_bytes:
        kind, why = (
            "exact",
            f"{size} take {whole}, little enough to compare all of them",
        )
    elif codes <= SCAN_BYTES:
        kind = "rabitq"
        why = f"{size} take {whole}, but only {coded} as one-bit codes, all scanned"
    else:
        kind = "ivf-rabitq"
        why = f"{size} take {coded} even as one-bit codes, so lists of them are probed"
    lists = 0
    if kind == "ivf-rabitq":
        # A power of two near a thousandth of the places, at most near their square root: memory for
        # fitting and time for adding grow with the number of lists.
        lists = 1 << max(1, round(min(count / _ROWS_A_LIST, count**0.5)).bit_length())
        lists = max(1, min(lists, count))
    where = "" if kind in FAISS_KINDS else uri
    return StoreCard(kind, dims, requested=requested, why=why, lists=lists, uri=where)
