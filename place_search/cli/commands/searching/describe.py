"""`place-search describe`: descriptors of photos in a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from place_search.cli import options
from place_search.cli.console import print_list, print_message
from place_search.cli.terminal import progress
from place_search.core.settings import MODEL, PRECISION, THREADS
from place_search.core.text import counted
from place_search.settings import DIMS


def command(
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO", help="Photos, or one folder or list (.csv, .txt)."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="File to write: .npy, .npz or .h5; for kapture a folder."
        ),
    ],
    form: Annotated[
        Literal["place-search", "hloc", "numpy", "kapture"] | None,
        typer.Option(
            "--format",
            help="hloc: features of hloc (.h5). kapture: global features in a kapture folder. "
            "numpy: .npy, or .npz with names. Default: by the ending.",
        ),
    ] = None,
    model: options.IncludedModel = MODEL.default,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    dims: options.Dims = DIMS.default,
) -> None:
    """Write the descriptors of photos, one row a photo in the order given.

    Names of a folder's or a list's photos are relative to it, and photos that cannot be read are
    left out.
    `index --descriptors FILE` reads what is written.
    """
    from place_search.core.files import require_own, require_writable
    from place_search.describing import describe_named
    from place_search.indexer.descriptor_files.write import (
        ENDINGS,
        require_kapture,
        write_descriptors,
    )
    from place_search.models import open_model

    file_format = form or ("numpy" if out.suffix in ENDINGS["numpy"] else "place-search")
    if out.suffix not in ENDINGS[file_format]:
        endings = " or ".join(ENDINGS[file_format]) or "nothing, as it is a folder"
        raise typer.BadParameter(
            f"--out {out} must end in {endings if form else '.npy, .npz or .h5'}."
        )
    if file_format != "kapture":
        require_writable(out, *photos)
        require_own(out, "descriptors", _holds_descriptors)
    opened = open_model(
        model,
        mode="throughput",
        threads=threads,
        dims=dims,
        precision=precision,
        max_pixels=max_megapixels * 10**6,
        verify=True,  # photos are decoded as for an index, at a scale for both networks
    )
    if file_format == "kapture":
        require_kapture(out, opened.card.id)
    with progress() as advance:
        described, skipped, left_unread = describe_named(photos, opened, progress=advance)
    write_descriptors(out, file_format, described)
    for sentence in left_unread:
        print_message(sentence)
    print_list(
        "Photos that cannot be read were left out:",
        [f"{photo.name}: {photo.reason}" for photo in skipped],
    )
    rows, dims = described.rows.shape
    descriptors = counted(rows, "descriptor")
    print_message(
        f"{descriptors} of {dims} numbers in {out}, by {opened.card.id} in {opened.in_short}."
    )


def _holds_descriptors(path: Path) -> bool:
    """Whether a file holds descriptors of this command, so that it may be replaced."""
    import h5py
    import numpy as np

    if not path.is_file():
        return False
    try:
        if path.suffix == ".npy":
            rows = np.load(path, mmap_mode="r")
            return bool(rows.ndim == 2 and rows.dtype == np.float32)
        if path.suffix == ".npz":
            with np.load(path) as archive:
                return "descriptors" in archive
        with h5py.File(path, "r") as file:
            return "fingerprint" in file.attrs
    except (OSError, ValueError, EOFError):
        return False
