"""`place-search compare` and `place-search calibrate`: do two photos show the same place?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli.console import OUT, print_json, progress, say
from place_search.cli.megapixels import MaxMegapixels
from place_search.cli.precision import Precision
from place_search.settings import MAX_MEGAPIXELS, MODEL, PRECISION, THREADS

if TYPE_CHECKING:
    from place_search.evaluation import Fitted
    from place_search.search.results import CompareResult

UNSURE = 0.5
"""From here on one place is likelier than two, though not sure enough to be called the same."""


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("compare")(compare)
    app.command("calibrate")(calibrate)


def compare(
    photo1: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo.")],
    photo2: Annotated[Path, typer.Argument(metavar="PHOTO", help="Another photo.")],
    model: Annotated[str, MODEL.option()] = MODEL.default,
    threads: Annotated[int | None, THREADS.option(min=1)] = THREADS.default,
    precision: Annotated[
        Precision,
        PRECISION.option(help="f32 or int8; auto is f32, which the calibration was fitted in."),
    ] = PRECISION.default,
    max_megapixels: MaxMegapixels = MAX_MEGAPIXELS.default,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the HTTP API's reply as JSON.")
    ] = False,
) -> None:
    """Say whether two photos show the same place, and how sure that is."""
    from place_search.models import open_model
    from place_search.search.compare import compare_photos

    chosen = "f32" if precision == "auto" else precision
    opened = open_model(model, threads=threads, precision=chosen)
    opened.max_pixels = max_megapixels * 10**6
    reply = compare_photos(opened, photo1, photo2)
    if as_json:
        print_json(reply.to_dict())
        return
    for note in reply.notes:
        say(f"Note: {note}")
    OUT.print(_sentence(reply))


def _sentence(reply: "CompareResult") -> str:
    measured = f"similarity {reply.similarity:.3f}, {reply.inliers} matching cells"
    if reply.result is None or reply.probability is None:
        return f"No verdict ({measured})."
    verdict = "The same place"
    if reply.result == "different":
        verdict = "Perhaps the same place" if reply.probability >= UNSURE else "Different places"
    return (
        f"{verdict}: probability {reply.probability:.3f} of the same place, threshold "
        f"{reply.threshold:.3f} ({measured})."
    )


def calibrate(
    pairs: Annotated[
        list[Path],
        typer.Argument(metavar="PAIRS...", help="CSV files with the columns photo1,photo2,same."),
    ],
    roots: Annotated[
        list[Path],
        typer.Option("--root", metavar="DIR", help="Folder of the photos; one for each CSV."),
    ],
    model: Annotated[str, MODEL.option()] = MODEL.default,
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
