"""The model that goes with an index: the one it was made with, cropped as it was then."""

from pathlib import Path

from place_search.indexer.storage.manifest import GIVEN, Manifest
from place_search.models import AskedPrecision, Model, ModelError, open_model
from place_search.models.runtimes.base import Mode


def open_index_model(
    manifest: Manifest,
    model: str | Path | None = None,
    *,
    mode: Mode = "latency",
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "auto",
) -> Model:
    """Open the model that an index was made with, or another id or folder of the same weights.

    `dims` crops it otherwise than the index says. `precision` "auto" is that of the index, whatever
    the processor.

    Every model for an index is opened here: descriptors of a model that was cropped by `--dims`
    compare only with those cropped alike. Whether it fits is for the index to check.

    Raises:
        ModelError: descriptors of no known model, no such model, or one that cannot be cropped as
            the index's was or lacks the graph of the index's precision.
    """
    made_by = manifest.model
    require_known_model(manifest)
    if dims is None and made_by.get("cropped"):
        dims = int(made_by["dims"])
    wanted: AskedPrecision = precision
    if precision == "auto":
        wanted = "int8" if manifest.precision == "int8" else "f32"
    opened = open_model(
        model or str(made_by["id"]), mode=mode, threads=threads, dims=dims, precision=wanted
    )
    if precision == "auto":
        opened.reason = "as the index was made"
    return opened


def require_known_model(manifest: Manifest) -> None:
    """Refuse an index of vectors that were made elsewhere: no photo can be described for it.

    Raises:
        ModelError: it is one.
    """
    if manifest.model.get("family") == GIVEN:
        raise ModelError(
            f"The index holds descriptors that were made elsewhere ({manifest.model['id']}), so "
            "no photo can be described for it; search it from Python by a descriptor, as "
            "open_index(INDEX).search(descriptor, k), or index the photos again with the --model "
            "that made them."
        )
