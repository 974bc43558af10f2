"""The thumbnails of an index's places, for answers that leave the process."""

from typing import Any

from place_search.indexer import Index, open_index


class Thumbnails:
    """Reads thumbnails of an index. Copies and pickles open the index again on first use.

    So an answer that goes to another process or a file does not contain the index.
    """

    def __init__(self, index: Index) -> None:
        self._folder = index.folder.absolute()
        self._index: Index | None = index

    def __getstate__(self) -> dict[str, Any]:
        return {"_folder": self._folder, "_index": None}

    def of(self, place_id: int) -> bytes:
        """A place's thumbnail, a JPEG.

        Raises:
            UnknownPlaceError: the place was removed.
            IndexFormatError: the index was removed.
        """
        if self._index is None:
            self._index = open_index(self._folder)
        return self._index.thumbnail(place_id)
