"""Photos that are in an index twice, byte for byte."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.contents import Contents


class Duplicate(NamedTuple):
    """A place whose photo has the same content as that of an earlier one."""

    name: str
    same_as: str


def duplicates_of(contents: Contents, *, since: int = 0) -> list[Duplicate]:
    """The places from the id `since` on whose photo an earlier place has too."""
    keys = content_keys(contents.table["content"])
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    earlier = first[group]
    fresh = contents.rows.place_ids >= since
    return [
        Duplicate(contents.text("name", row), contents.text("name", int(earlier[row])))
        for row in np.flatnonzero((earlier != np.arange(len(keys))) & fresh).tolist()
    ]


def content_keys(content: NDArray[np.uint8]) -> NDArray[np.void]:
    """Rows of (N, 32) bytes as one comparable value each."""
    return np.ascontiguousarray(content).view(np.dtype((np.void, content.shape[1])))[:, 0]
