"""`place-search index`: photos in, an index out."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from place_search.cli import options
from place_search.cli.changing import print_fields
from place_search.cli.console import InterruptedRunError, print_json, print_line, print_message
from place_search.cli.indexes import known_store, require_out, store_uri
from place_search.cli.reading import only_work, video_request
from place_search.cli.reports import count_positions, print_photo_notes, print_ungrouped
from place_search.cli.terminal import progress
from place_search.core.settings import MODEL, PRECISION, THREADS, VERIFY_WITH
from place_search.core.text import counted
from place_search.settings import DIMS, ENGINE, EXCHANGE, STORE, URI

if TYPE_CHECKING:
    from place_search.indexer import BuildReport, StoreCard
    from place_search.models import Model


def command(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of photos, a CSV with path,latitude,longitude[,name], a text with a path "
            "a line, a split (.mat, .npz) whose database to index, a video, or a folder of "
            "kapture, OpenSfM or COLMAP (a model in text).",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="INDEX", help="Folder to write the index to.")
    ],
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder that the photos of a split, a text or COLMAP are under (default: that of "
            "the file, or `images` beside the model).",
        ),
    ] = None,
    descriptors: Annotated[
        Path | None,
        typer.Option(
            "--descriptors",
            metavar="FILE",
            help="Take the descriptors from this file, as `describe`, hloc (.h5), kapture (its "
            "folder) or NumPy (.npz, .npy) wrote it; with --model, that it says made them.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            MODEL.flag,
            help=f"{MODEL.help.removesuffix('.')} (default: that of INDEX, and {MODEL.default} for "
            "a new one).",
        ),
    ] = None,
    store: Annotated[str, STORE.option(callback=known_store)] = STORE.default,
    uri: options.Uri = URI.default,
    engine: Annotated[Literal["local", "ray"], ENGINE.option()] = ENGINE.default,
    exchange: Annotated[str, EXCHANGE.option()] = EXCHANGE.default,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    dims: options.Dims = DIMS.default,
    local_features: Annotated[
        bool,
        typer.Option(
            "--local-features/--no-local-features",
            "--cells/--no-cells",
            help="Keep what verification needs: 8 kB a photo, and of imported models more.",
        ),
    ] = True,
    descriptor_type: Annotated[
        Literal["int8", "float32"] | None,
        typer.Option(
            "--descriptor-type",
            help="Numbers that descriptors are stored as: int8 takes a quarter of the bytes "
            "(default: int8, and float32 with --descriptors).",
        ),
    ] = None,
    verify_with: Annotated[str | None, VERIFY_WITH.option()] = VERIFY_WITH.default,
    gpx: options.Gpx = None,
    every: options.Every = None,
    fps: options.Fps = None,
    video_start: options.VideoStart = None,
    clock_offset: options.ClockOffset = None,
    panoramas: options.Panoramas = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Index a folder of place photos, or frames of a video.

    Photos that cannot be read are skipped and listed at the end. Positions come from the CSV or
    split, from names as in @easting@northing@…@.jpg, from what kapture, OpenSfM or COLMAP found,
    from --gpx by time, or from the photos' Exif or XMP. Frames of a video are kept in the folder
    INDEX-frames, views of 360° panoramas in INDEX-views; with --descriptors panoramas stay whole.
    """
    from place_search.indexing import index_input, open_kept_model, ray_workers
    from place_search.models import open_model

    if not local_features:
        only_work(context, "with local features", "verify_with")
    if engine != "ray":
        only_work(context, "with --engine ray", "exchange")
    if descriptors is not None:
        if local_features:
            only_work(context, "without --descriptors", "local_features")
        if engine == "ray":
            only_work(context, "without --descriptors", "engine")
            engine = "local"  # a variable is meant for photos that are described
        only_work(context, "without --descriptors", "verify_with")
        if model is None:
            without = "without --descriptors, or with --model beside it"
            only_work(context, without, "dims", "precision", "threads")
    address = store_uri(context, store, uri)
    require_out(data, out, "index")
    named = model or MODEL.in_environment

    def opened() -> "Model":
        choices: dict[str, Any] = {
            "threads": threads,
            "dims": dims,
            "precision": precision,
            "max_pixels": max_megapixels * 10**6,
            "verify": local_features and descriptors is None,
            "verify_with": verify_with,
        }
        kept = None if named else open_kept_model(out, **choices)
        if kept is None:
            return open_model(named or MODEL.default, mode="throughput", **choices)
        if kept.card.id != MODEL.default:
            print_message(
                f"{out} keeps its model, {kept.card.id}; with --model {MODEL.default} it gets the "
                "one of new indexes."
            )
        return kept

    try:
        with progress() as advance:
            result = index_input(
                data,
                out,
                video_request(out, gpx, every, fps, video_start, clock_offset, panoramas, advance),
                opened,
                root=root,
                descriptors=descriptors,
                model_named=model is not None,
                max_pixels=max_megapixels * 10**6,
                store=store,
                uri=address,
                local_features=local_features,
                descriptor_type=descriptor_type,
                workers=partial(ray_workers, exchange=exchange) if engine == "ray" else None,
                progress=advance,
            )
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {out} keeps what was done, so the same command goes on from there, and "
            "an index that was there before still works."
        ) from None
    print_fields(result)
    print_photo_notes(result.report)
    if descriptors is None:
        print_message(f"Described by {result.model.named}.")
    else:
        print_message(f"Descriptors of {descriptors}, made by {result.model.card.id}.")
    if result.calibration_summary:
        print_message(f"How probable the same place is: {result.calibration_summary}")
    if as_json:
        print_json(result.report.to_dict())
        return
    print_line(_summary(result.report, out))
    _print_store(result.report.store)
    if context.info_name != "demo":  # the demo groups photos next
        print_ungrouped(out)


def _print_store(store: "StoreCard") -> None:
    """Print which vector store was chosen and why, and warn of a low recall."""
    from place_search.indexer.stores.store_card import TARGET_RECALL

    print_message(f"Vector store {store.explanation}.")
    if store.recall_at_10 is not None and store.recall_at_10 < TARGET_RECALL:
        print_message(
            f"Warning: the vector store finds only {store.recall_at_10:.1%} of what exact search "
            "does; index with --store exact or --store hnsw-sq8 to find more."
        )


def _summary(report: "BuildReport", out: Path) -> str:
    seconds = report.seconds["total"]
    new = report.places + len(report.skipped) - report.reused
    rate = f", {new / seconds:.0f} photos/s" if new > 0 and seconds > 0 else ""
    reused = f", {report.reused} done before" if report.reused else ""
    places = counted(report.places, "place")
    return f"{places} in {out} ({seconds:.1f} s{rate}{reused}), {count_positions(report)}"
