"""Whether everything in an index fits together."""

from pathlib import Path

import h5py
import numpy as np

from place_search.indexer import (
    Index,
    open_index,
)
from place_search.indexer.storage.descriptor_codes import decode


def whole(folder: Path) -> Index:
    """Open an index and make sure that everything in it fits together."""
    index = open_index(folder)
    rows = np.concatenate(list(index.descriptors().chunks(3)))
    assert len(rows) == index.count == index.manifest.places == len(list(index.places()))
    for at, (place, row) in enumerate(zip(index.places(), rows, strict=True)):
        hits = index.search(row, index.count + 5)
        assert len(hits) == index.count
        assert {hit.place_id for hit in hits} == set(index.place_ids.tolist())
        best = [hit for hit in hits if hit.similarity > hits[0].similarity - 1e-5]
        assert place.place_id in [hit.place_id for hit in best]
        assert index.row_of(place.place_id) == at
        assert index.thumbnail(place.place_id)[:2] == b"\xff\xd8"
        assert index.codes(place.place_id)[0].size
    with h5py.File(folder / "descriptors.h5") as joined:
        live = ~joined["removed"][()].astype(bool)
        np.testing.assert_array_equal(joined["place_id"][()][live], index.place_ids)
        np.testing.assert_array_equal(decode(joined["descriptors"][()][live]), rows)
    assert sorted(index.manifest.files) == sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    )
    return index


def names(index: Index) -> dict[int, str]:
    return {place.place_id: place.name for place in index.places()}
