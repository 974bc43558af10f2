"""Indexing for the command line and Python: photos, their own fields, and the calibration."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from place_search.core.progress import Progress
from place_search.indexer import (
    add_photos,
    build_index,
    descriptor_file_model,
    holds_index,
    keep_listed_fields,
    open_descriptor_file,
    open_index_model,
    open_source,
    read_listed_fields,
    read_manifest,
)
from place_search.indexer.errors import VideoOptionError
from place_search.models import ModelError
from place_search.photos.decoding import MAX_PIXELS
from place_search.search.calibrating.upkeep import keep_calibrated

if TYPE_CHECKING:
    from place_search.indexer import BuildReport, ChangeReport, ListedFields, VideoRequest
    from place_search.indexer.changes.shard_workers import ShardWorkers
    from place_search.models import Model

_Report = TypeVar("_Report", "BuildReport", "ChangeReport")


@dataclass(frozen=True, slots=True)
class IndexingResult(Generic[_Report]):
    """The report of a run that indexed photos, and its model.

    `fields` are the own fields of the photos' list, if any, which `places_with_fields` places got.
    `calibration_summary` is a sentence on the calibration, if the run measured one.
    """

    report: _Report
    model: "Model"
    fields: "ListedFields | None"
    places_with_fields: int
    calibration_summary: str | None


def open_kept_model(out: Path, **options: Any) -> "Model | None":
    """The model that an index which is made again keeps, unless another one is named.

    None without an index in `out`, or where its model is unknown. The options are those of
    `open_index_model`.

    Raises:
        ModelError: the model cannot be opened.
    """
    manifest = read_manifest(out) if holds_index(out) else None
    if manifest is None or not manifest.has_known_model:
        return None
    try:
        return open_index_model(manifest, mode="throughput", **options)
    except ModelError as error:
        raise ModelError(
            f"{out} keeps its model, {manifest.model['id']}, unless another one is named, which "
            f"describes all photos anew. {error}"
        ) from None


def ray_workers(model: "Model", exchange: str) -> "ShardWorkers":
    """The nodes of a Ray cluster as workers. Raises `ClusterError` without Ray, as `RayWorkers`."""
    from place_search.indexer.distributed.ray_engine import RayWorkers

    return RayWorkers(model, exchange=exchange)


def index_input(
    data: Path,
    out: Path,
    video: "VideoRequest",
    model: "Callable[[], Model]",
    *,
    root: Path | None,
    descriptors: Path | None,
    model_named: bool,
    store: str,
    local_features: bool,
    descriptor_type: Literal["int8", "float32"] | None,
    progress: Progress,
    uri: str = "",
    max_pixels: int = MAX_PIXELS,
    workers: "Callable[[Model], ShardWorkers] | None" = None,
) -> "IndexingResult[BuildReport]":
    """Build an index of the photos of an input, described by `model` or by a file, `descriptors`.

    With `model_named`, the user states that `model` made the file, which is checked on some photos.
    With a file, photos that would decode to more than `max_pixels` are left out; else the model has
    such a limit.

    Raises:
        PlaceSearchError: photos, model, file or folder cannot be used; the text says why.
    """
    listed = read_listed_fields(data, out)
    if descriptors is None:
        source = open_source(data, root, video)
        opened = model()
    else:
        if video.panoramas == "2:1":
            raise VideoOptionError(
                "Descriptors of a file are of whole photos, so that panoramas are not cut; leave "
                "out --panoramas 2:1.",
                "panoramas",
            )
        source = open_source(data, root, replace(video, panoramas="off"))
        made_by = model() if model_named else None
        file = open_descriptor_file(descriptors)
        opened = descriptor_file_model(file, source, made_by, max_pixels=max_pixels)
        if not file.names and made_by is None:  # nothing tells rows in another order
            photos = source.photos
            order = (
                f"{descriptors} has no names, so its rows are taken for the photos in their order: "
                f"the first for '{photos[0].name}', the last for '{photos[-1].name}'. With "
                "--model, some are compared."
            )
            source = replace(source, warnings=(*source.warnings, order))
    report = build_index(
        source,
        out,
        opened,
        store=store,
        uri=uri,
        local_features=local_features,
        descriptor_type=descriptor_type or ("int8" if descriptors is None else "float32"),
        workers=None if workers is None else workers(opened),
        progress=progress,
    )
    places_with_fields = 0 if listed is None else keep_listed_fields(out, listed)
    calibration_summary = keep_calibrated(out, opened, progress) if descriptors is None else None
    return IndexingResult(report, opened, listed, places_with_fields, calibration_summary)


def take_input(
    change: "Callable[..., ChangeReport]",
    index: Path,
    data: Path,
    video: "VideoRequest",
    model: "Model",
    progress: Progress,
) -> "IndexingResult[ChangeReport]":
    """Change an index by the photos of an input; `change` is `add_photos` or `sync_photos`.

    Raises:
        PlaceSearchError: index, photos or model cannot be used; the text says why.
    """
    listed = read_listed_fields(data, index)
    if change is add_photos:  # another folder may have panoramas of the same names
        video = replace(video, root=read_manifest(index).root)
    report = change(index, open_source(data, None, video), model, progress=progress)
    places_with_fields = 0 if listed is None else keep_listed_fields(index, listed)
    calibration_summary = keep_calibrated(index, model, progress)
    return IndexingResult(report, model, listed, places_with_fields, calibration_summary)
