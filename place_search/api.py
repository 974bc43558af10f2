"""The functions of `import place_search`; each imports what it needs when it is called."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import fspath
from typing import TYPE_CHECKING, Any, Literal

from place_search.arguments import (
    AnyModel,
    AnyPath,
    AnyProgress,
    Photo,
    as_path,
    listed,
    manifest_of,
    model_for,
    opened_index,
    opened_model,
    path_of,
    path_or_id,
    plain,
    reporting,
    source_of,
    switch,
    truth_files,
    video_of,
)
from place_search.core.errors import PlaceSearchError, WrongParameterError
from place_search.core.settings import AskedPrecision

if TYPE_CHECKING:
    from typing import SupportsIndex, Unpack

    import numpy as np
    from numpy.typing import NDArray

    from place_search.arguments import TruthArguments, VideoArguments
    from place_search.evaluation import Diagnosis, EvalReport
    from place_search.indexer import BuildReport, ChangeReport, Index
    from place_search.models import Model
    from place_search.search.index_calibration import IndexCalibration
    from place_search.search.results import CompareResult


def open_model(
    model: AnyPath | None = None,
    *,
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "auto",
    verify_with: AnyPath | None = None,
    max_megapixels: int = 50,
    index: "Index | AnyPath | None" = None,
) -> "Model":
    """Open a model by its id under weights/ or by its folder; by default the included one.

    With an `index` it is the model that the index was made with, in its precision and dimensions.
    Descriptors of a whitened model keep only their first `dims` numbers. `precision` "auto" is int8
    where the model's card has measured a mean loss of at most 1 point of Recall@1 and the processor
    has instructions for it; `Model.in_words` names the precision and the reason. A model without
    local features gets them from a second model: `verify_with`, else the model that its card names,
    else the included one. Photos larger than `max_megapixels` are refused; a JPEG counts with the
    size at which it is decoded.

    Raises:
        PlaceSearchError: there is no such model or index, it is not whole, or a parameter is out of
            range.
    """
    from place_search.core.tables import require_number
    from place_search.indexer import open_index_model
    from place_search.models import DEFAULT_MODEL
    from place_search.models import open_model as open_by_name

    require_number("max_megapixels", max_megapixels, 1, whole=True)
    options: dict[str, Any] = {
        "threads": threads,
        "dims": dims,
        "precision": precision,
        "max_pixels": max_megapixels * 10**6,
        "verify": True,
        "verify_with": path_or_id(verify_with),
    }
    if index is not None:
        return open_index_model(manifest_of(index), path_or_id(model), **options)
    return open_by_name(path_or_id(model) or DEFAULT_MODEL, **options)


def open_index(folder: AnyPath) -> "Index":
    """Open an index that `index` or the command line made, until its `close()` or in a `with`.

    Raises:
        PlaceSearchError: the folder holds no index that can be opened.
    """
    from place_search.indexer import open_index as open_folder

    return open_folder(as_path(folder))


def index(
    data: AnyPath,
    out: AnyPath,
    *,
    root: AnyPath | None = None,
    model: AnyModel = None,
    descriptors: AnyPath | None = None,
    store: str = "auto",
    uri: AnyPath | None = None,
    local_features: bool = True,
    verify_with: AnyPath | None = None,
    descriptor_type: Literal["int8", "float32"] | None = None,
    engine: Literal["local", "ray"] = "local",
    exchange: str = "",
    progress: AnyProgress = False,
    **video: "Unpack[VideoArguments]",
) -> "BuildReport":
    """Index the photos of a folder, of a list, of a split or of a video into the folder `out`.

    `root` is the folder of a split's photos. `descriptors` is a file of the photos' descriptors, as
    `place-search describe`, hloc, kapture or NumPy wrote it, made by `model` if given; then no
    model describes photos. Without `local_features` the index is smaller, and its results cannot be
    verified; `verify_with` names the model that gives local features in place of `model`.
    The store "milvus" keeps vectors in the Milvus at `uri`, http://HOST:19530 or a file NAME.db.
    `descriptor_type` is int8, a quarter of the bytes, but float32 by default with `descriptors`.
    With the `engine` "ray" the nodes of the cluster at RAY_ADDRESS describe photos, or several
    processes of this machine; nodes without its disks take photos from the URL `exchange`.
    Called again, it continues an interrupted run; an older index works until the new one is whole,
    which has the older one's model unless another is named.

    Raises:
        PlaceSearchError: photos, model or folder cannot be used; the text says why.
    """
    from place_search.indexer import store_address
    from place_search.indexing import index_input, open_kept_model, ray_workers

    if engine not in ("local", "ray"):
        raise PlaceSearchError(f"engine is {engine!r:.40}, but it must be 'local' or 'ray'.")
    if exchange and engine != "ray":
        raise PlaceSearchError("exchange only works with the engine 'ray'; leave it out.")
    if descriptors is not None and engine == "ray":
        raise PlaceSearchError(
            "descriptors does not work with the engine 'ray'; leave one of them out."
        )
    if verify_with is not None and (descriptors is not None or not local_features):
        conflict = "local_features=False" if descriptors is None else "descriptors"
        raise PlaceSearchError(f"verify_with does not work with {conflict}; leave one of them out.")
    address = "" if uri is None else fspath(uri)
    if address and not store_address(store, address):
        raise PlaceSearchError(f"uri does not work with the store {store}; leave one of them out.")

    def opened() -> "Model":
        options = {"verify": local_features, "verify_with": verify_with}
        kept = open_kept_model(folder, **options) if model is None else None
        return kept or opened_model(model, verify_with)

    folder = as_path(out)
    with reporting(progress) as report:
        return index_input(
            as_path(data),
            folder,
            video_of(folder, video, report),
            opened,
            root=path_of(root),
            descriptors=path_of(descriptors),
            model_named=model is not None,
            store=store,
            uri=address,
            local_features=switch("local_features", local_features),
            descriptor_type=descriptor_type,
            workers=partial(ray_workers, exchange=exchange) if engine == "ray" else None,
            progress=report,
        ).report


def add(
    index: AnyPath,
    data: AnyPath,
    *,
    model: AnyModel = None,
    progress: AnyProgress = False,
    **video: "Unpack[VideoArguments]",
) -> "ChangeReport":
    """Add the photos of `data` that an index lacks, and update those that have changed.

    Raises:
        PlaceSearchError: index, photos or model cannot be used; the text says why.
    """
    from place_search.indexer import add_photos

    return _changed(add_photos, index, data, model, progress, video)


def sync(
    index: AnyPath,
    data: AnyPath,
    *,
    model: AnyModel = None,
    forget: bool = False,
    progress: AnyProgress = False,
    **video: "Unpack[VideoArguments]",
) -> "ChangeReport":
    """Make an index hold the photos of `data`: as `add`, and places of other photos are removed.

    Photos whose places were removed by `remove` stay out; with `forget` they are added again.

    Raises:
        PlaceSearchError: index, photos or model cannot be used; the text says why.
    """
    from place_search.indexer import sync_photos

    change = partial(sync_photos, forget=switch("forget", forget))
    return _changed(change, index, data, model, progress, video)


def _changed(
    change: "Callable[..., ChangeReport]",
    index: AnyPath,
    data: AnyPath,
    model: AnyModel,
    progress: AnyProgress,
    video: "VideoArguments",
) -> "ChangeReport":
    from place_search.indexing import take_input

    folder, opened = as_path(index), model_for(index, model)
    with reporting(progress) as report:
        request = video_of(folder, video, report)
        return take_input(change, folder, as_path(data), request, opened, report).report


def remove(index: AnyPath, places: "Iterable[SupportsIndex | str]") -> "ChangeReport":
    """Remove places by a list of ids or names; their photos stay.

    Raises:
        PlaceSearchError: there is no such index or place, or it cannot be written.
    """
    from place_search.indexer import remove_places

    return remove_places(as_path(index), places)


def calibrate(
    index: AnyPath, *, model: AnyModel = None, progress: AnyProgress = False
) -> "IndexCalibration":
    """Measure on an index's own photos how probable the same place is, and keep it in the index.

    `index`, `add` and `sync` do so by themselves for a model that has no calibration.

    Raises:
        PlaceSearchError: index or model cannot be used; the text says why.
    """
    from place_search.search.calibrating.upkeep import calibrate_and_keep

    opened = open_index(index)
    with reporting(progress) as report:
        return calibrate_and_keep(opened, model_for(opened, model), report)


def compare(
    photo1: Photo,
    photo2: Photo,
    *,
    index: "Index | AnyPath | None" = None,
    model: AnyModel = None,
    box: tuple[float, float, float, float] | None = None,
) -> "CompareResult":
    """Say whether two photos show the same place, and how sure that is.

    The first photo is the query, the second the place: swapped, a borderline answer may differ a
    little. With an `index` the model is its own, by default, and the probability has its
    calibration, as in a search; parts of the picture that many of its photos share are left out.
    With a `box` (x, y, width, height in pixels) only that part of the first photo is compared.

    Raises:
        PlaceSearchError: a photo, the index or the model cannot be used; the text says why.
    """
    from place_search.photos import box_of
    from place_search.search.compare import compare_photos

    places = None if index is None else opened_index(index)
    opened = opened_model(model) if places is None else model_for(places, model)
    return compare_photos(
        opened,
        source_of(photo1),
        source_of(photo2),
        box=box_of(box),
        index=places,
    )


def describe(
    photos: "Photo | Sequence[Photo]", *, model: AnyModel = None, progress: AnyProgress = False
) -> "NDArray[np.float32]":
    """The descriptors of photos, one row a photo: (N, D) float32.

    `photos` is a photo, a list of photos, or a folder, whose photos come sorted by name. Rows have
    L2 norm 1, so that the similarity of two photos is the product of their rows.

    Raises:
        PlaceSearchError: a photo or the model cannot be used; the text says why.
    """
    from place_search.describing import describe_photos

    with reporting(progress) as report:
        return describe_photos(listed(photos), opened_model(model), progress=report)


def evaluate(
    data: AnyPath | None = None,
    *,
    model: AnyModel = None,
    index: AnyPath | None = None,
    ks: Iterable[int] = (1, 5, 10),
    verify: bool = False,
    open_set: bool = False,
    standardize: bool = False,
    sequence: int | None = None,
    causal: bool = False,
    protocol: str | None = None,
    report_dir: AnyPath | None = None,
    progress: AnyProgress = False,
    **right: "Unpack[TruthArguments]",
) -> "EvalReport":
    """Measure Recall@N for each N of `ks`.

    The ground truth comes from `data`, a folder with `database/` and `queries/` or of photos with
    positions, or from the files of `TruthArguments`. Each query is ranked with the `sequence`
    frames on each side of it, or only before it if `causal`. The command line has the same flags.

    Raises:
        PlaceSearchError: a truth, photos, an index or a model that cannot be used.
    """
    from place_search.evaluation import evaluate_files
    from place_search.models import Model

    with reporting(progress) as report:
        return evaluate_files(
            truth_files(data, right),
            model=model if isinstance(model, Model) else path_or_id(model),
            index=path_of(index),
            ks=ks,
            verify=switch("verify", verify),
            open_set=switch("open_set", open_set),
            standardize=switch("standardize", standardize),
            sequence=plain(sequence),
            causal=switch("causal", causal),
            protocol=protocol,
            report_dir=path_of(report_dir),
            progress=report,
        )


def doctor(
    data: AnyPath | None = None,
    *,
    model: AnyPath | None = None,
    index: AnyPath | None = None,
    protocol: str | None = None,
    precision: AskedPrecision = "auto",
    progress: AnyProgress = False,
    **right: "Unpack[TruthArguments]",
) -> "Diagnosis":
    """Look for faults that would make a job fail or its numbers worthless; they are not raised.

    The ground truth is named as for `evaluate`, or `data` is an index. The model is an id or a
    folder, whose files are checked too, but no opened model; `precision` is that to open it in.

    Raises:
        PlaceSearchError: arguments that do not fit each other, or are of another kind.
    """
    from place_search.evaluation import TruthFiles, data_and_index, examine

    photos, folder = data_and_index(path_of(data), path_of(index))
    files = truth_files(photos, right, index=folder)
    if protocol is not None and files == TruthFiles():
        raise WrongParameterError(
            "protocol only works with photos to evaluate on, not with an index alone.", "protocol"
        )
    with reporting(progress) as report:
        return examine(
            files,
            model=path_or_id(model),
            index=folder,
            protocol=protocol,
            precision=precision,
            progress=report,
        )
