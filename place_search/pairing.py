"""Pairs of photos to match, for the Python interface."""

from typing import TYPE_CHECKING

from place_search.arguments import (
    AnyModel,
    AnyPath,
    AnyProgress,
    as_path,
    path_of,
    reporting,
    switch,
)
from place_search.searching import opened_engine

if TYPE_CHECKING:
    from place_search.indexer import Index
    from place_search.search.pairs import Pairs


def pairs(
    index: "Index | AnyPath",
    queries: AnyPath,
    *,
    k: int = 20,
    verify: bool | None = None,
    standardize: bool = False,
    root: AnyPath | None = None,
    model: AnyModel = None,
    progress: AnyProgress = False,
) -> "Pairs":
    """The `k` places of an index that look most like each photo of a folder or a list.

    `names` of the answer are pairs of names relative to `root`, by default the deepest folder that
    holds queries and places; `to_text("hloc")`, "colmap" or "kapture" is a file for these programs.
    A photo in the index is not paired with itself. `standardize` is that of `search_many`.

    Raises:
        PlaceSearchError: an index, photos or a model that cannot be used; the text says why.
    """
    from place_search.search.folders.query_photos import open_queries
    from place_search.search.pairs import find_pairs

    engine = opened_engine(index, model, verify=verify)
    source = open_queries(as_path(queries))
    with reporting(progress) as report:
        return find_pairs(
            engine,
            source,
            k,
            verify=verify,
            standardize=switch("standardize", standardize),
            root=path_of(root),
            progress=report,
        )
