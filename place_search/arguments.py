"""The arguments of the functions of `import place_search`: paths, photos, models, progress."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from os import PathLike
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

from place_search.core.errors import PlaceSearchError, out_of_reach
from place_search.core.progress import Progress, silent

if TYPE_CHECKING:
    from place_search.evaluation import TruthFiles
    from place_search.indexer import Index, VideoRequest
    from place_search.indexer.storage.manifest import Manifest
    from place_search.models import Model

T = TypeVar("T")
AnyPath: TypeAlias = str | PathLike[str]
Content: TypeAlias = bytes | bytearray | memoryview
Photo: TypeAlias = AnyPath | Content | IO[bytes]
"""A photo's path, the content of its file, or the file, opened to read bytes."""
AnyModel: TypeAlias = "Model | AnyPath | None"
"""An opened model, its id under weights/ or its folder; None for the default model."""


class VideoArguments(TypedDict, total=False):
    """Options for indexing a video, or photos with a GPX track, as on the command line.

    `fps` frames a second are indexed, by default 2, or a frame every `every_m` metres along the
    track of the file `gpx`, which gives frames their positions by time. `video_start` is the time
    of the first frame with its time zone, as a `datetime` or a text such as
    "2026-05-01T10:00:00+02:00"; by default that of the video's metadata. The clock of photos
    without a time zone was `clock_offset_s` seconds ahead of UTC. `panoramas` of 360° are cut into
    views: "auto" by their metadata, "2:1" all photos of that shape too, "off" none.
    """

    gpx: AnyPath | None
    every_m: float | None
    fps: float | None
    video_start: datetime | str | None
    clock_offset_s: float
    panoramas: Literal["auto", "2:1", "off"]


class TruthArguments(TypedDict, total=False):
    """The ground truth of an evaluation, as on the command line.

    It is a `split` of the literature, whose queries are in the folder `queries_dir`, or a `truth`
    CSV, among all positives or the photos of a `database`, both with the `root` of their paths; or
    `queries` and a `database` of photos with positions. Photos within `radius_m` metres are right.
    """

    split: AnyPath | None
    truth: AnyPath | None
    root: AnyPath | None
    database: AnyPath | None
    queries: AnyPath | None
    queries_dir: str | None
    radius_m: float | None


class Filters(TypedDict, total=False):
    """Conditions that all results fulfil; None is no condition.

    Their photo lies in the `folder` and was taken from one day to another, such as 2024-05-31; they
    have each `tag`, and their own fields fulfil each `field`, as in "floor:ge:3".
    """

    folder: str | PurePath | None
    taken_from: str | date | None
    taken_to: str | date | None
    tag: Sequence[str] | None
    field: Sequence[str] | None


AnyProgress: TypeAlias = "Progress | bool | None"
"""True for a progress bar, or a function that is called with a stage, its count and its total."""


def as_path(path: AnyPath) -> Path:
    """`path` as a `Path`. Raises PlaceSearchError where it is no path, or out of reach."""
    if isinstance(path, str) and not path:
        raise PlaceSearchError("A path is empty; write . for the folder that you are in.")
    try:
        checked = Path(path)
        checked.stat()  # raises the errors that `Path.is_dir` and others would
    except TypeError:
        raise PlaceSearchError(
            f"A path is a text or a pathlib.Path, not of the type {type(path).__name__}."
        ) from None
    except ValueError as error:
        raise PlaceSearchError(f"{path!r:.80} cannot be a path ({error}).") from None
    except OSError as error:  # a file that does not exist may be right
        if reason := out_of_reach(error):
            raise PlaceSearchError(reason) from None
    return checked


def path_of(path: AnyPath | None) -> Path | None:
    """`path` as a `Path`, None for None. Raises PlaceSearchError where it is no path."""
    return None if path is None else as_path(path)


def path_or_id(model: AnyPath | None) -> "str | Path | None":
    """A model's id, a text, or its folder. Raises PlaceSearchError for other types."""
    if isinstance(model, str) and not model:
        raise PlaceSearchError("The name of a model is empty; leave it out, or name one.")
    if model is None:
        return None
    if isinstance(model, str | PathLike):
        folder = as_path(model)
        return model if isinstance(model, str) else folder
    raise PlaceSearchError(
        f"A model is named by its id or its folder here, not by the type {type(model).__name__}."
    )


def opened_model(model: AnyModel, verify_with: AnyPath | None = None) -> "Model":
    """`model`, opened in the best precision unless it is open; by default the included model.

    Raises:
        PlaceSearchError: there is no such model, it is not whole, the argument names no model, or
            `verify_with` comes with an opened model.
    """
    from place_search.models import DEFAULT_MODEL, Model, open_model

    if isinstance(model, Model):
        if verify_with is not None:
            raise PlaceSearchError(
                "An opened model has its verifier already; give verify_with to open_model instead."
            )
        return model
    name_or_folder = path_or_id(model) or DEFAULT_MODEL
    verifier = path_or_id(verify_with)
    return open_model(name_or_folder, precision="auto", verify=True, verify_with=verifier)


def opened_index(index: "Index | AnyPath") -> "Index":
    """`index`, opened unless it is open. Raises PlaceSearchError where the folder holds none."""
    from place_search.indexer import Index, open_index

    return index if isinstance(index, Index) else open_index(as_path(index))


def manifest_of(index: "Index | AnyPath") -> "Manifest":
    """What an index states of itself. Raises PlaceSearchError where the folder holds none."""
    from place_search.indexer import Index, read_manifest

    return index.manifest if isinstance(index, Index) else read_manifest(as_path(index))


def model_for(index: "Index | AnyPath", model: AnyModel, *, verify: bool = True) -> "Model":
    """`model`, else the index's own, with the index's local features unless not to `verify`.

    A model's id or folder is opened in the precision and the dimensions of the index.

    Raises:
        PlaceSearchError: there is no such index or model, it is not whole, or the argument names
            no model.
    """
    from place_search.indexer import Index, fit_model, open_index_model
    from place_search.models import Model

    folder = index.folder if isinstance(index, Index) else as_path(index)
    manifest = manifest_of(index)
    if isinstance(model, Model):
        return fit_model(manifest, folder, model, verify=verify)
    return open_index_model(manifest, path_or_id(model), verify=verify)


def source_of(photo: Photo) -> bytes | Path:
    """A photo as the engine takes it; an open file is read from its current position.

    Raises:
        PlaceSearchError: a picture in memory, a file that gives no bytes, or another type.
    """
    if isinstance(photo, Content):
        return bytes(photo)
    if isinstance(photo, str | PathLike):
        return as_path(photo)
    if not hasattr(photo, "read"):
        raise PlaceSearchError(
            "A photo is the path of a file or the content of one as bytes, not of the type "
            f"{type(photo).__name__}; save a picture into an io.BytesIO, and give its getvalue()."
        )
    try:
        content: object = photo.read()
    except (OSError, ValueError) as error:  # the file is closed or not readable
        raise PlaceSearchError(f"The file of a photo cannot be read: {error}.") from None
    if content == b"":
        raise PlaceSearchError(
            "The file of a photo is empty, or was read to its end before; open it again."
        )
    if isinstance(content, bytes):
        return content
    raise PlaceSearchError("The file of a photo gives no bytes; open it with mode 'rb'.")


def sources_of(photos: "Photo | Iterable[Photo]") -> Iterator[bytes | Path]:
    """One photo or several, as the engine takes them. Raises PlaceSearchError as `source_of`."""
    several: Any = photos
    if not isinstance(photos, str | PathLike | Content) and not hasattr(photos, "read"):
        with suppress(TypeError):  # `source_of` refuses what is neither a photo nor iterable
            return map(source_of, several)
    return iter((source_of(several),))


def listed(photos: "Photo | Sequence[Photo]") -> list[bytes | Path]:
    """Photos as a list; those of a folder are sorted by name."""
    if not isinstance(photos, str | PathLike) or not as_path(photos).is_dir():
        return list(sources_of(photos))
    from place_search.indexer import open_source

    return [photo.path for photo in open_source(as_path(photos)).photos]


def video_of(index: Path, video: VideoArguments, progress: Progress) -> "VideoRequest":
    """The options for a video whose frames are kept beside an index."""
    from place_search.indexer import VideoRequest, start_of

    _require_known(video, VideoArguments)
    return VideoRequest(
        index,
        gpx=path_of(video.get("gpx")),
        every_m=video.get("every_m"),
        fps=video.get("fps"),
        start=start_of(video.get("video_start")),
        clock_offset_s=video.get("clock_offset_s", 0.0),
        panoramas=video.get("panoramas", "auto"),
        progress=progress,
    )


def truth_files(
    data: AnyPath | None, right: TruthArguments, *, index: Path | None = None
) -> "TruthFiles":
    """The ground truth of an evaluation, which an `index` to examine does not need.

    Raises:
        PlaceSearchError: the arguments do not fit each other.
    """
    from place_search.evaluation import TruthFiles

    _require_known(right, TruthArguments)
    files = TruthFiles(
        data=path_of(data),
        split=path_of(right.get("split")),
        truth=path_of(right.get("truth")),
        root=path_of(right.get("root")),
        queries_dir=right.get("queries_dir"),
        database=path_of(right.get("database")),
        queries=path_of(right.get("queries")),
        radius_m=plain(right.get("radius_m")),
    )
    if reason := files.why_not(index=index):
        raise PlaceSearchError(reason)
    return files


def _require_known(arguments: Mapping[str, object], declared: type) -> None:
    if unknown := arguments.keys() - declared.__annotations__.keys():
        raise TypeError(f"unexpected keyword argument '{min(unknown)}'")


def plain(value: T) -> T:
    """A number of NumPy as a Python number, since reports are JSON; anything else unchanged."""
    item: Callable[[], T] | None = getattr(value, "item", None)
    return value if item is None or getattr(value, "size", 1) != 1 else item()


def switch(name: str, value: bool) -> bool:
    """A parameter that is True or False, of Python or NumPy. Raises PlaceSearchError for others."""
    from place_search.search.parameters import switch_of

    return bool(switch_of(name, value, or_none=False))


@contextmanager
def reporting(progress: AnyProgress) -> Iterator[Progress]:
    """The progress function of a call: a bar on the terminal, `progress` itself, or `silent`."""
    if progress is not None and not isinstance(progress, bool):
        yield progress
    elif progress:
        from place_search.cli.terminal import progress as bar

        with bar() as advance:
            yield advance
    else:
        yield silent
