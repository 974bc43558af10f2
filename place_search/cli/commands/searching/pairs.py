"""`place-search pairs`: which photos to match, for hloc, COLMAP and kapture."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from place_search.cli import options
from place_search.cli.console import print_line, print_list, print_message
from place_search.cli.indexes import require_order
from place_search.cli.reading import only_work
from place_search.cli.reports import print_search_notes
from place_search.cli.terminal import progress
from place_search.core.settings import CANDIDATES, PRECISION, THREADS
from place_search.core.text import counted


def command(
    context: typer.Context,
    index: options.IndexFolder,
    queries: Annotated[
        Path,
        typer.Argument(metavar="QUERIES", help="A folder of photos, or a list (.csv, .txt)."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write.")],
    k: Annotated[
        int, typer.Option("--k", min=1, max=99, help="How many places a photo is paired with.")
    ] = 20,
    form: Annotated[
        Literal["hloc", "colmap", "kapture"],
        typer.Option(
            "--format",
            help="hloc, kapture: a pairs file, all places of each photo. colmap: a match list, "
            "each pair once.",
        ),
    ] = "hloc",
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder that names are relative to, as hloc's image_dir, COLMAP's image_path or "
            "kapture's records_data (default: the deepest one that holds queries and places).",
        ),
    ] = None,
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify",
            help="Rank by geometry too (default: where the index can).",
            show_default=False,
        ),
    ] = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="Choose places by what tells the photos from one another: for many photos of one "
            "drive or night.",
        ),
    ] = False,
    candidates: options.Candidates = CANDIDATES.default,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
) -> None:
    """Write which photos to match: each query with the places that look most like it.

    A photo that is in the index is not paired with itself, so QUERIES may be the photos of the
    index.
    """
    from place_search.core.files import (
        require_own,
        require_writable,
        telling_unwritable,
        write_whole,
    )
    from place_search.indexer import open_index, open_index_model
    from place_search.search.engine import Engine
    from place_search.search.folders.query_photos import open_queries
    from place_search.search.pairs import find_pairs, is_pairs

    if verify is False:
        only_work(context, "with --verify", "candidates")
    require_order(index, queries, "pairs {index} {other}")
    require_writable(out, queries, index=index)
    require_own(out, "pairs of photos", is_pairs)
    opened = open_index(index)
    source = open_queries(queries)
    for sentence in source.left_unread:
        print_message(sentence)
    described_by = open_index_model(
        opened.manifest,
        model,
        threads=threads,
        precision=precision,
        max_pixels=max_megapixels * 10**6,
        verify=verify is not False,
    )
    engine = Engine(opened, described_by, candidates=candidates)
    with progress() as advance:
        pairs = find_pairs(
            engine,
            source,
            k,
            verify=verify,
            standardize=standardize,
            root=root,
            form=form,
            progress=advance,
        )
    text = pairs.to_text(form)
    with telling_unwritable(out):
        write_whole(out, text.encode())
    print_search_notes(pairs.notes)
    skipped = [f"{photo.name}: {photo.reason}" for photo in pairs.skipped]
    print_list("Photos that cannot be read have no pairs:", skipped)
    photos = len(source.photos) - len(skipped)
    own = ", or to the sensors/records_data below it" if form == "kapture" else ""
    print_message(f"Names are relative to {pairs.root}{own}.")
    lines = sum(not line.startswith("#") for line in text.splitlines())
    print_line(f"{counted(lines, 'pair')} of {counted(photos, 'photo')} in {out}")
