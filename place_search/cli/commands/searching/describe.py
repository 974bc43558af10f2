"""`place-search describe`: descriptors of photos in a file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from place_search.cli.console import progress, say
from place_search.cli.megapixels import DEFAULT_MEGAPIXELS, MaxMegapixels
from place_search.cli.precision import PrecisionOption
from place_search.core.settings import MODEL, PRECISION, THREADS
from place_search.settings import DIMS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def command(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write: .npy or .h5.")],
    model: Annotated[str, MODEL.option()] = MODEL.default,
    threads: Annotated[int | None, THREADS.option()] = THREADS.default,
    precision: PrecisionOption = PRECISION.default,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    dims: Annotated[int | None, DIMS.option()] = DIMS.default,
) -> None:
    """Write the descriptors of photos, one row a photo in the order given."""
    if out.suffix not in (".npy", ".h5"):
        raise typer.BadParameter(f"--out {out} must end in .npy or .h5.")
    from place_search.core.errors import PlaceSearchError
    from place_search.describing import describe_photos
    from place_search.models import open_model

    if out.exists() and not _is_ours(out):
        raise PlaceSearchError(f"{out} holds something else than descriptors; name another file.")
    opened = open_model(model, mode="throughput", threads=threads, dims=dims, precision=precision)
    opened.max_pixels = max_megapixels * 10**6
    with progress() as advance:
        descriptors = describe_photos(photos, opened, progress=advance)
    # Written beside and renamed, so that the file is never half there.
    beside = out.with_name(f".{out.name}.{os.getpid()}{out.suffix}")
    try:
        _write(beside, descriptors, photos, opened.card.id, opened.fingerprint)
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or error
        raise PlaceSearchError(f"{out} cannot be written ({reason}); check its folder.") from error
    rows, dims = descriptors.shape
    what = "descriptor" if rows == 1 else "descriptors"
    say(f"{rows} {what} of {dims} numbers in {out}, by {opened.card.id} in {opened.in_short}.")


def _is_ours(path: Path) -> bool:
    """Whether a file holds what this command writes, so that it may be replaced."""
    import h5py
    import numpy as np

    if not path.is_file():
        return False
    try:
        if path.suffix == ".npy":
            rows = np.load(path, mmap_mode="r")
            return bool(rows.ndim == 2 and rows.dtype == np.float32)
        with h5py.File(path, "r") as file:
            return "descriptors" in file and "fingerprint" in file.attrs
    except (OSError, ValueError, EOFError):
        return False


def _write(
    path: Path,
    descriptors: "NDArray[np.float32]",
    photos: list[Path],
    model_id: str,
    fingerprint: str,
) -> None:
    if path.suffix == ".npy":
        import numpy as np

        np.save(path, descriptors)
        return
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("descriptors", data=descriptors)
        names: Any = [os.fsencode(photo).decode("utf-8", "backslashreplace") for photo in photos]
        file.create_dataset("name", data=names, dtype=h5py.string_dtype())
        file.attrs["model"] = model_id
        file.attrs["fingerprint"] = fingerprint
