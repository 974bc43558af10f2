"""Photos that the pages offer to try: the demo's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Samples:
    """JPEG files to search with, and pairs of them to compare.

    Each file is served at an address of its own, to every client that may search.
    """

    queries: Sequence[Path] = ()
    pairs: Sequence[tuple[Path, Path]] = ()

    @property
    def files(self) -> dict[str, Path]:
        """Address below the page → file, one for each photo."""
        photos = dict.fromkeys((*self.queries, *(photo for pair in self.pairs for photo in pair)))
        return {f"samples/{number}.jpg": photo for number, photo in enumerate(photos)}

    def addresses(self) -> dict[str, list[str] | list[list[str]]]:
        """The addresses of `queries` and of `pairs`, for the pages."""
        at = {photo: address for address, photo in self.files.items()}
        return {
            "queries": [at[photo] for photo in self.queries],
            "pairs": [[at[photo] for photo in pair] for pair in self.pairs],
        }
