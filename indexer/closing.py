"""Closing an index: its files, memory and connections go at once, not when garbage is collected."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from place_search.indexer.errors import ClosedIndexError


class Closable:
    """Holds files until it is closed, or until the end of a `with`."""

    folder: Path
    _let_go: frozenset[str] = frozenset()
    """The attributes that closing has let go of."""

    def close(self) -> None:
        """Let go of all files, memory and connections; other uses, by threads too, end in an error.

        Only the `folder` and the `manifest` stay. What was taken from the index, such as the rows
        of `descriptors`, keeps the files that it needs.
        """
        # Nothing is closed below a thread that reads: the last one to use a file lets it go.
        kept = {name: self.__dict__[name] for name in ("folder", "manifest")}
        let_go = self._let_go | self.__dict__.keys() - kept.keys()
        self.__dict__ = {**kept, "_let_go": let_go}

    def __enter__(self) -> Self:
        if self._let_go:
            raise self._closed_error()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _closed_error(self) -> ClosedIndexError:
        return ClosedIndexError(
            f"The index {self.folder} was closed; open it again with open_index."
        )

    if not TYPE_CHECKING:  # type checkers would accept any attribute

        def __getattr__(self, name: str) -> None:
            """Raise `ClosedIndexError` for what was let go of."""
            if name in self._let_go:
                raise self._closed_error()
            owner = type(self).__name__
            raise AttributeError(f"{owner!r} object has no attribute {name!r}", name=name, obj=self)
