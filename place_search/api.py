"""What `import place_search` offers; each function imports what it needs when it is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from place_search.indexer import Index
    from place_search.models import Model
    from place_search.search.results import SearchResult


def open_model(
    model: str | Path = "lite0-netvlad",
    *,
    threads: int | None = None,
    dims: int | None = None,
    precision: Literal["auto", "f32", "int8"] = "auto",
) -> "Model":
    """Open a model by its id under weights/ or by its folder.

    `dims` keeps only the first so many numbers of a whitened model's descriptors. `precision`
    "auto" is int8 where the model's card has measured a loss of at most 0.5 points of Recall@1 and
    the processor has instructions for it; `Model.in_words` says which it is and why.

    Raises:
        PlaceSearchError: there is no such model, or it is not whole.
    """
    from place_search.models import open_model

    return open_model(model, threads=threads, dims=dims, precision=precision)


def open_index(folder: str | Path) -> "Index":
    """Open an index that `place-search index` built.

    Raises:
        PlaceSearchError: the folder holds no index that can be opened.
    """
    from place_search.indexer import open_index

    return open_index(Path(folder))


def search(
    index: "Index | str | Path",
    photo: str | Path | bytes,
    *,
    model: "Model | None" = None,
    k: int = 10,
    near: tuple[float, float] | None = None,
    radius_m: float | None = None,
) -> "SearchResult":
    """Find the `k` places of an index that look most like a photo, best first.

    `near` is (latitude, longitude) in degrees; with `radius_m` it leaves only the places at most
    that many metres away. Without `model` the index's own is opened, which takes most of a second:
    to search often, open it once and pass it, or use `search.Engine`.

    Raises:
        PlaceSearchError: an index, photo or parameter that cannot be used; the text says why.
    """
    from place_search.core.geodesy import Position
    from place_search.indexer import open_index_model
    from place_search.search.engine import Engine

    opened = open_index(index) if isinstance(index, str | Path) else index
    engine = Engine(opened, model or open_index_model(opened.manifest))
    point = None if near is None else Position(*near)
    source = photo if isinstance(photo, bytes) else Path(photo)
    return engine.search(source, k=k, near=point, radius_m=radius_m)


def describe(
    photos: Sequence[str | Path | bytes], *, model: "Model | str | Path" = "lite0-netvlad"
) -> "NDArray[np.float32]":
    """The descriptors of photos (paths or file contents), one row a photo: (N, D) float32.

    Rows have L2 norm 1, so that the similarity of two photos is the product of their rows.

    Raises:
        PlaceSearchError: a photo or the model cannot be used; the text says why.
    """
    from place_search.describing import describe_photos
    from place_search.models import Model

    opened = model if isinstance(model, Model) else open_model(model)
    sources = [photo if isinstance(photo, bytes) else Path(photo) for photo in photos]
    return describe_photos(sources, opened)
