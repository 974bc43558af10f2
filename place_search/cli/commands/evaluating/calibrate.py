"""`place-search calibrate`: the probability that two photos show the same place."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.console import OUT, print_json, progress
from place_search.cli.megapixels import DEFAULT_MEGAPIXELS, MaxMegapixels
from place_search.core.settings import MODEL

if TYPE_CHECKING:
    from place_search.evaluation import Fitted


def command(
    pairs: Annotated[
        list[Path],
        typer.Argument(metavar="PAIRS...", help="CSV files with the columns photo1,photo2,same."),
    ],
    roots: Annotated[
        list[Path],
        typer.Option("--root", metavar="DIR", help="Folder of the photos; one for each CSV."),
    ],
    model: Annotated[str, MODEL.option()] = MODEL.default,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    about: Annotated[
        str, typer.Option("--about", help="What the pairs are, for the model card.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write figures and a curve here.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the calibration into the model's card.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON.")] = False,
) -> None:
    """Fit the probability that two photos show the same place, on labelled pairs."""
    if len(roots) not in (1, len(pairs)):
        raise typer.BadParameter("Give --root once, or once for each CSV.")
    from dataclasses import asdict, replace

    from place_search.evaluation import calibrate as fit
    from place_search.evaluation import read_pairs, write_calibration_report
    from place_search.models import find_model, open_model, read_card, write_card

    opened = open_model(model)
    opened.max_pixels = max_megapixels * 10**6
    places = roots * len(pairs) if len(roots) == 1 else roots
    sets = [(root, read_pairs(path)) for path, root in zip(pairs, places, strict=True)]
    data = about or ", ".join(path.stem for path in pairs)
    with progress() as advance:
        fitted = fit(
            opened,
            sets,
            data=data,
            progress=advance,
        )
    if report is not None:
        write_calibration_report(fitted, report)
    if keep:
        folder = find_model(model)
        write_card(replace(read_card(folder), calibration=fitted.calibration), folder)
    if as_json:
        print_json(asdict(fitted.calibration))
    else:
        _print(fitted)


def _print(fitted: "Fitted") -> None:
    found = fitted.calibration
    OUT.print(
        f"{found.same_pairs} pairs of the same place, {found.different_pairs} of different ones; "
        f"on the {len(fitted.same)} held back:\n"
        f"  ROC AUC            {found.auc:.4f}\n"
        f"  threshold          {found.threshold:.3f}\n"
        f"  precision, recall  {100 * found.precision:.1f} %, {100 * found.recall:.1f} %\n"
        f"  calibration error  {found.calibration_error:.3f}"
    )
