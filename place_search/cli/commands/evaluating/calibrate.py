"""`place-search calibrate`: the probability that two photos show the same place."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import index_model
from place_search.cli.console import print_json, print_line, print_message
from place_search.cli.reading import only_work
from place_search.cli.terminal import OUT, progress
from place_search.cli.training_room import training_room
from place_search.core.errors import PlaceSearchError
from place_search.core.settings import MODEL, PRECISION, AskedPrecision
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.evaluation import Fitted
    from place_search.models import Calibration, Model
    from place_search.models.runtimes.base import Mode


def command(
    context: typer.Context,
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="INDEX|PAIRS|PLACES",
            help="An index, CSV files with the columns photo1,photo2,same, or one with "
            "image,place or image,video,frame.",
        ),
    ],
    roots: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="DIR", help="Folder of the photos; one for each CSV."),
    ] = None,
    model: Annotated[
        str | None, MODEL.option(help="Model folder or id (default: the included or the index's).")
    ] = None,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    about: Annotated[
        str, typer.Option("--about", help="What the pairs are, for the model card.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write figures and a curve here.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the calibration into the model's card.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure how probable the same place is, from similarity and geometry.

    With an INDEX, on altered copies of its own photos; the index keeps the result. `index` does so
    by itself for a model without a calibration. With PAIRS, on labelled pairs of photos. With
    PLACES, on searches among photos of known places, in at least two top-level folders: each is
    searched with photos of the others too, whose places are not there.
    """
    for path in data:
        if not path.exists():
            raise PlaceSearchError(f"{path} does not exist; name an index, or CSV files of pairs.")
    if not (keep or as_json or report):
        only_work(context, "with --keep, --json or --report", "about")
    if len(data) == 1 and data[0].is_dir():
        of_photos = ("roots", "about", "report", "keep", "precision")
        only_work(context, "with PAIRS or PLACES, not with an index", *of_photos)
        _calibrate_index(data[0], model, max_megapixels, as_json)
    elif len(data) == 1 and _lists_places(data[0]):
        only_work(context, "with PAIRS", "report")
        if len(roots or ()) > 1:
            raise typer.BadParameter("With PLACES, give one --root.")
        root = roots[0] if roots else data[0].parent
        name = model or MODEL.default
        opened = _opened(name, precision, max_megapixels, mode="throughput")
        _calibrate_searches(data[0], root, opened, name if keep else None, about, as_json)
    else:
        if folders := [path for path in data if path.is_dir()]:
            raise PlaceSearchError(
                f"{folders[0]} is a folder where a CSV of pairs is needed; calibrate one index "
                "at a time."
            )
        if len(roots or ()) not in (1, len(data)):
            raise typer.BadParameter("Give --root once, or once for each CSV.")
        name = model or MODEL.default
        opened = _opened(name, precision, max_megapixels)
        keep_in = name if keep else None
        _calibrate_pairs(data, roots or [], opened, keep_in, about, report, as_json)


def _opened(
    model: str, precision: AskedPrecision, max_megapixels: int, mode: "Mode" = "latency"
) -> "Model":
    from place_search.models import open_model

    return open_model(
        model, verify=True, mode=mode, precision=precision, max_pixels=max_megapixels * 10**6
    )


def _lists_places(file: Path) -> bool:
    from place_search.core.tables import open_table
    from place_search.evaluation.calibration.calibrate import COLUMNS
    from place_search.evaluation.errors import TruthError

    with open_table(file, error=TruthError) as table:
        return not set(COLUMNS) & set(table.columns)


def _calibrate_index(folder: Path, model: str | None, max_megapixels: int, as_json: bool) -> None:
    from dataclasses import asdict

    from place_search.indexer import open_index
    from place_search.search.calibrating.upkeep import calibrate_and_keep, summary_of
    from place_search.search.index_calibration import FILE

    index = open_index(folder)
    opened = index_model(folder, model, None, max_megapixels=max_megapixels)
    with progress() as advance:
        measured = calibrate_and_keep(index, opened, advance)
    if as_json:
        figures = asdict(measured)
        print_json({name: figures[name] for name in ("calibration", "places", "copies")})
        return
    print_line(f"{summary_of(measured)} Kept in {folder / FILE}.")


def _calibrate_searches(
    photos: Path,
    root: Path,
    model: "Model",
    keep_in: str | None,
    about: str,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    training = training_room("Calibrating on searches")
    with progress() as advance:
        calibration = training.calibrate_on_searches(
            model, photos, root, data=about or photos.stem, progress=advance
        )
    if as_json:
        print_json(asdict(calibration))
    else:
        OUT.print(
            f"{counted(calibration.same_pairs, 'candidate')} of the query's place, "
            f"{calibration.different_pairs} of"
        )
        OUT.print("others; of the first ones, each collection judged by the others:")
        _print_figures(calibration)
    if keep_in:
        _keep(calibration, keep_in)


def _keep(calibration: "Calibration", model: str) -> None:
    from dataclasses import replace

    from place_search.core.files import telling_unwritable
    from place_search.models import find_model, read_card, write_card

    folder = find_model(model)
    with telling_unwritable(folder / "card.toml"):
        write_card(replace(read_card(folder), calibration=calibration), folder)
    print_message(
        f"Kept in {folder}. Indexes go by it too, but for those where `place-search calibrate "
        "INDEX` measured one beside the model's."
    )


def _calibrate_pairs(
    pairs: list[Path],
    roots: list[Path],
    model: "Model",
    keep_in: str | None,
    about: str,
    report: Path | None,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from place_search.evaluation import (
        begin_calibration_report,
        read_pairs,
        write_calibration_report,
    )
    from place_search.evaluation import calibrate as fit

    places = roots * len(pairs) if len(roots) == 1 else roots
    sets, repeated = read_pairs(zip(pairs, places, strict=True))
    if repeated:
        print_message(
            f"Left out {counted(repeated, 'row')} of two photos that an earlier row names too: "
            "each pair counts once."
        )
    if report is not None:
        begin_calibration_report(report)
    data = about or ", ".join(path.stem for path in pairs)
    with progress() as advance:
        fitted = fit(model, sets, data=data, progress=advance)
    # Printed first: the figures are not lost where what is written finds no room.
    if as_json:
        print_json(asdict(fitted.calibration))
    else:
        _print(fitted)
    if keep_in:
        _keep(fitted.calibration, keep_in)
    if report is not None:
        write_calibration_report(fitted, report)


def _print(fitted: "Fitted") -> None:
    calibration = fitted.calibration
    OUT.print(
        f"{counted(calibration.same_pairs, 'pair')} of the same place, "
        f"{calibration.different_pairs} of different ones; on the {len(fitted.same)} held back:"
    )
    _print_figures(calibration)


def _print_figures(calibration: "Calibration") -> None:
    print_line(f"  ROC AUC            {calibration.auc:.4f}")
    print_line(f"  threshold          {calibration.threshold:.3f}")
    precision = "–" if calibration.precision is None else f"{100 * calibration.precision:.1f} %"
    print_line(f"  precision, recall  {precision}, {100 * calibration.recall:.1f} %")
    print_line(f"  calibration error  {calibration.calibration_error:.3f}")
