"""`place-search train`: from photos of places to a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.console import InterruptedRunError, print_message
from place_search.cli.terminal import progress
from place_search.cli.training_room import training_room
from place_search.core.settings import MODEL
from place_search.core.tables import parse_whole


def command(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Photos of places: a .mat or .npz split, a folder with database/ and queries/, "
            "photos with positions, a CSV with place, or with video and frame, or just photos.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", help="Model to write, or a clustered one to train."),
    ],
    preset: Annotated[
        str, typer.Option("--preset", help="paper-vgg16, fast-lite0 or cpu-smoke.")
    ] = "fast-lite0",
    model: Annotated[
        str | None, MODEL.option(help="Model to start from (default: the clustered one at --out).")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--val", metavar="DATA", help="Photos to validate on (default: a share is held out)."
        ),
    ] = None,
    root: options.ListRoot = None,
    queries_dir: Annotated[
        str | None,
        typer.Option("--queries-dir", metavar="NAME", help="Folder of a split's queries."),
    ] = None,
    positive_m: Annotated[
        float, typer.Option("--positive-m", min=0, help="Metres within which a place is the same.")
    ] = 10.0,
    negative_m: Annotated[
        float, typer.Option("--negative-m", min=0, help="Metres beyond which it is another.")
    ] = 25.0,
    window: Annotated[
        int, typer.Option("--window", min=0, help="Frames of a video that show the same place.")
    ] = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was stopped.")
    ] = False,
    loss: Annotated[str | None, typer.Option("--loss", help="triplet or multi-similarity.")] = None,
    train_last: Annotated[
        int | None,
        typer.Option("--train-last", min=-1, help="Units of the backbone to train; -1 for all."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs at most.")] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Queries, or places, of a batch.")
    ] = None,
    views: Annotated[
        int | None,
        typer.Option("--views", min=0, help="Views to draw of each photo, half of them by night."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Pixels that photos are cut to.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", min=0, help="At the beginning.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option("--patience", min=1, help="Epochs without a gain before the end.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="auto, float32, bfloat16 or float16.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=options.MAX_SEED, help="Seed of all that is drawn."),
    ] = None,
    about: options.AboutPhotos = "",
) -> None:
    """Train a model on photos of places. A run that was stopped goes on with --resume.

    On several GPUs: torchrun --nproc-per-node N -m place_search.cli.app train …
    """
    training = training_room("Training")
    config = training.preset(
        preset,
        {
            "loss": _one_of("--loss", loss, ("triplet", "multi-similarity")),
            "train_last": train_last,
            "epochs": epochs,
            "batch": batch,
            "views": views,
            "learning_rate": learning_rate,
            "patience": patience,
            "precision": _one_of(
                "--precision", precision, ("auto", "float32", "bfloat16", "float16")
            ),
            "seed": seed,
            **_parse_size(size),
        },
    )
    rules = training.Range(positive_m, negative_m, window)
    try:
        with progress("steps") as advance:
            card = training.train(
                training.TrainingData(data, validation, root, queries_dir, rules),
                out,
                config=config,
                model=model,
                resume=resume,
                about=about,
                progress=advance,
                print_message=print_message,
            )
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {out}.run keeps the last checkpoint, and the same command with "
            "--resume goes on from there."
        ) from None
    trained = card.fitting["training"]
    before, after = trained["recall_before"], trained["recall_after"]
    unchanged = "" if trained["best_epoch"] else " No epoch raised it: the network is as before."
    print_message(
        f"Wrote {out}: on {card.recall[0].dataset} R@1 {before['1']} → {after['1']} %, R@5 "
        f"{before['5']} → {after['5']} %, at epoch {trained['best_epoch']} of {trained['epochs']}; "
        f"{out}.run has the curve.{unchanged}"
    )


def _one_of(flag: str, value: str | None, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise typer.BadParameter(f"{flag} {value}: it must be one of {', '.join(choices)}.")
    return value


def _parse_size(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    first, _, second = text.lower().partition("x")
    width, height = parse_whole(first), parse_whole(second)
    if width is None or height is None:
        raise typer.BadParameter(f"--size {text}: write width and height, as in 320x224.")
    return {"width": width, "height": height}
