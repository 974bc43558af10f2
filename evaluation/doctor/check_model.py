"""The doctor's checks of model and index: unset centroids, another model, other photos."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.evaluation.descriptors import IndexDatabase
from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.indexer import Index, ModelMismatchError
from place_search.models import Model

_REFIT = "fit it with `place-search cluster`, or import the checkpoint that was trained"


def check_centroids(folder: Path) -> list[Finding]:
    """The vocabulary in a model folder's weights, where it has one.

    A vocabulary of L2-normalised cells has centroids that differ, of norm at most about 1.
    """
    path = folder / "weights.safetensors"
    if not path.is_file():
        return []
    from safetensors import SafetensorError, safe_open

    tables: dict[str, NDArray[np.float32]] = {}
    try:
        with safe_open(path, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no dictionary
                if name.endswith(("centroids", "assignment.weight")):
                    table = np.asarray(tensors.get_tensor(name), dtype=np.float32)
                    tables[name] = table.reshape(len(table), -1)
    except (OSError, SafetensorError) as error:
        return [Finding("model", 1, str(path), f"The weights cannot be read ({error}); get them.")]
    return [problem for name, table in tables.items() for problem in _judge(path, name, table)]


def _judge(path: Path, name: str, table: NDArray[np.float32]) -> list[Finding]:
    table_name = f"{path}: {name}"
    rows = len(table)
    bad = int((~np.isfinite(table).all(axis=1)).sum())
    if bad:
        return [Finding("centroids-not-finite", bad, table_name, f"They are no numbers; {_REFIT}.")]
    if not table.any():
        return [Finding("centroids-uninitialised", rows, table_name, f"All are zero; {_REFIT}.")]
    spread = np.abs(table - table[0]).max(axis=1)
    if rows > 1 and spread.max() <= 1e-6 * np.abs(table).max():
        return [Finding("centroids-equal", rows, table_name, f"All are the same vector; {_REFIT}.")]
    if name.endswith("centroids"):
        norms = np.linalg.norm(table, axis=1)
        # Random initial values, uniform in 0 … 1, have a norm of √(C / 3): 13 at 512 channels.
        if np.median(norms) > 2.0 and (table >= 0).all() and (table <= 1).all():
            remedy = f"They are random numbers, as a layer starts with; {_REFIT}."
            return [Finding("centroids-uninitialised", rows, table_name, remedy)]
    return []


def check_index_model(index: Index, model: Model) -> list[Finding]:
    """A finding where an index was made with another model."""
    try:
        index.check_model(model)
    except ModelMismatchError as error:
        return [Finding("model-disagrees", index.count, model.card.id, str(error))]
    return []


def check_index_photos(places: IndexDatabase) -> list[Finding]:
    """Photos of a truth's database that an index lacks, or indexed with other content."""
    folder = places.index.folder
    return [
        *findings_of(
            "not-in-index",
            places.missing,
            f"{folder} does not hold these of the database; index them again.",
        ),
        *findings_of(
            "other-in-index",
            places.changed,
            f"{folder} was made from other photos than these, at least; index them again.",
        ),
    ]
