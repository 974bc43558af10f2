"""`place-search quantize`: a model's graph in int8, and what that loses."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from place_search.cli import options
from place_search.cli.console import print_table, progress, say

if TYPE_CHECKING:
    from place_search.evaluation import GroundTruth
    from place_search.models import ModelCard


def command(
    model: options.Model,
    photos: Annotated[
        Path,
        typer.Option(
            "--photos", metavar="DATA", help="Photos to calibrate on, as for `index`; varied ones."
        ),
    ],
    count: Annotated[
        int, typer.Option("--count", min=1, help="How many of the photos to calibrate on.")
    ] = 128,
    truths: Annotated[
        list[Path] | None,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="CSV with the columns query,positives to measure the loss on; may be repeated.",
        ),
    ] = None,
    databases: Annotated[
        list[Path] | None,
        typer.Option(
            "--database", metavar="FILE|DIR", help="Database photos, once for each --truth."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Folder that the paths of --truth are under."),
    ] = None,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    first: Annotated[
        int | None,
        typer.Option(
            "--first",
            min=0,
            help="Convolutions at the beginning to leave in float32 (default: as few as it takes).",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Measure verified searches too, which takes most of the time.")
    ] = True,
    views: Annotated[
        bool,
        typer.Option(
            "--views",
            help="Calibrate on the photos as they may look by night (half of them) and by another "
            "day (a quarter).",
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="ID", help="Make a new model of this name, and leave this one alone."
        ),
    ] = None,
) -> None:
    """Put an int8 graph beside a model's float32 one, and measure what it loses.

    A graph that is there already is never replaced: indexes may have been made with it.

    The card keeps the loss: --precision auto takes int8 where it is at most 1 point of Recall@1,
    and the processor is quicker with it. Without --truth nothing is measured, so that only
    --precision int8 takes it.
    """
    if len(databases or ()) not in (0, len(truths or ())):
        raise typer.BadParameter("Give --database once for each --truth, or never.")
    from place_search.evaluation import TruthFiles, open_truth
    from place_search.models import ModelError, find_model

    try:
        from place_search.models.quantize import quantize_model
    except ImportError as error:
        raise ModelError(
            f"Quantising needs {error.name}; run: pip install 'place-search[quantize]'."
        ) from None
    folder = find_model(model)
    _check_target(folder, name)
    known = []
    for number, (path, named) in enumerate(_by_name(truths or [])):
        files = TruthFiles(truth=path, root=root, database=databases[number] if databases else None)
        if reason := files.why_not():
            raise typer.BadParameter(reason)
        known.append(replace(open_truth(files), name=named))
        known[-1].require_photos()
    pixels, digest = _prepared(folder, photos, count, max_megapixels * 10**6, views)
    with _target(folder, name) as made:
        with progress("graphs") as advance:
            card = quantize_model(
                made,
                pixels,
                digest,
                first=first,
                views=views,
                progress=advance,
            )
        if known:
            card = _measured(made, card, known, verify)
    _print(card)


def _by_name(paths: list[Path]) -> list[tuple[Path, str]]:
    """Each truth with what it is called: its name, after as many folders as tell it from others."""
    known = [path.resolve().with_suffix("").parts for path in paths]
    names = []
    for parts in known:
        ends = (parts[-count:] for count in range(1, len(parts)))
        alone = (end for end in ends if sum(each[-len(end) :] == end for each in known) == 1)
        names.append("/".join(next(alone, parts[-1:])))
    return list(zip(paths, names, strict=True))


def _check_target(folder: Path, name: str | None) -> None:
    from place_search.models import ModelError, read_card, weights_folder
    from place_search.models.new_folder import free_folder

    card = read_card(folder)
    if name is None and card.quantization is not None:
        raise ModelError(
            f"'{card.id}' has an int8 graph already, with which indexes may have been made; give "
            "the new model a name with --as ID."
        )
    if name is not None:
        free_folder(weights_folder(), name)


@contextmanager
def _target(folder: Path, name: str | None) -> Iterator[Path]:
    """The model to quantise: itself, or a copy under weights/ that appears when all went well."""
    from place_search.models import read_card, weights_folder, write_card
    from place_search.models.new_folder import new_folder

    if name is None:
        yield folder
        return
    with new_folder(weights_folder() / name) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        write_card(replace(read_card(copy), id=name), copy)
        yield copy


def _prepared(
    folder: Path, photos: Path, count: int, max_pixels: int, views: bool
) -> "tuple[list[Any], str]":
    """Photos for calibration, evenly from the source, and the hash of their contents."""
    from place_search.indexer import SourceError, open_source
    from place_search.models import open_model
    from place_search.photos import PhotoError, read_photo

    listed = open_source(photos)
    for sentence in listed.left_unread:
        say(sentence)
    source = listed.photos
    opened = open_model(folder, max_pixels=max_pixels)
    pixels, digest = [], hashlib.sha256()
    for number in range(min(count, len(source))):
        path = source[number * len(source) // min(count, len(source))].path
        try:
            content = read_photo(path)
            prepared = opened.prepare(opened.read(content))
            pixels.append(_altered(prepared, number) if views else prepared)
        except (PhotoError, OSError) as error:
            say(f"Skipped: {path.name}: {error}")
            continue
        digest.update(hashlib.sha256(content).digest())
    if not pixels:
        raise SourceError(f"None of the photos in {photos} can be read; name others with --photos.")
    return pixels, digest.hexdigest()


def _altered(pixels: Any, number: int) -> Any:
    """A photo by night, by another day, by night, and the next one as it is."""
    import numpy as np

    from place_search.photos.altered_views import change_day, make_night

    alter = (make_night, change_day, make_night, None)[number % 4]
    return pixels if alter is None else alter(pixels, np.random.default_rng(number))


def _measured(
    folder: Path, card: "ModelCard", truths: "list[GroundTruth]", verify: bool
) -> "ModelCard":
    from place_search.evaluation import measure_loss
    from place_search.models import write_card

    assert card.quantization is not None  # noqa: S101 - it was just made
    with progress() as advance:
        rows = measure_loss(folder, truths, verify=verify, progress=advance)
    card = replace(card, quantization=replace(card.quantization, measured=tuple(rows)))
    write_card(card, folder)
    return card


def _print(card: "ModelCard") -> None:
    made = card.quantization
    assert made is not None  # noqa: S101 - it was just made
    say(
        f"'{card.id}' has an int8 graph: mean cosine {made.cosine:.4f} to float32, which remains "
        f"in {made.f32_layers}."
    )
    if made.loss is None:
        say("Its loss was not measured, so --precision auto stays with f32.")
        return
    rows = [
        (
            row.dataset,
            "verified" if row.verified else "plain",
            f"{row.f32:.1f} %",
            f"{row.int8:.1f} %",
        )
        for row in made.measured
    ]
    print_table(("data", "search", "R@1 f32", "R@1 int8"), rows, words=("data", "search"))
    say(f"The mean loss is {max(made.loss, 0.0):.1f} points.")
