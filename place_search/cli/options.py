"""The options and arguments that several commands take."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from place_search.core.settings import (
    CANDIDATES,
    MODEL,
    PRECISION,
    THREADS,
    VERIFY_WITH,
    AskedPrecision,
)
from place_search.settings import DIMS, URI
from place_search.settings import K as K_SETTING

IndexFolder: TypeAlias = Annotated[
    Path, typer.Argument(metavar="INDEX", help="Folder of an index.")
]
Data: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Folder of photos, a CSV with path,latitude,longitude[,name], a text with a path a "
        "line, or a video.",
    ),
]
Model: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL.help)]
OwnModel: TypeAlias = Annotated[
    str | None, MODEL.option(help="Model folder or id (default: the index's own).")
]
IncludedModel: TypeAlias = Annotated[str, MODEL.option()]
"""A model for commands without an index."""
VerifyWith: TypeAlias = Annotated[
    str | None,
    VERIFY_WITH.option(help="Folder or id of the model that verifies (default: the index's own)."),
]
NewModel: TypeAlias = Annotated[
    Path, typer.Option("--out", metavar="MODEL", help="Model folder to write.")
]
AboutPhotos: TypeAlias = Annotated[
    str, typer.Option("--about", help="What the photos are, for the model card.")
]
ListRoot: TypeAlias = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", help="Folder that the photos of a list are under."),
]
Precision: TypeAlias = Annotated[AskedPrecision, PRECISION.option()]
Dims: TypeAlias = Annotated[int | None, DIMS.option()]
Threads: TypeAlias = Annotated[int | None, THREADS.option()]
Candidates: TypeAlias = Annotated[int, CANDIDATES.option()]
K: TypeAlias = Annotated[int, K_SETTING.option()]
Uri: TypeAlias = Annotated[str, URI.option()]
MAX_SEED = 2**31 - 1
"""The largest seed that all libraries take, of which the least is 0."""
DEFAULT_MEGAPIXELS = 50
MaxMegapixels: TypeAlias = Annotated[
    int,
    typer.Option(
        "--max-megapixels",
        envvar="PLACE_SEARCH_MAX_MEGAPIXELS",  # the server's setting of the same name
        min=1,
        help="Largest photo to decode, in million pixels; of a JPEG, after scaling it down.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
AsReply: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the HTTP API's reply as JSON.")
]

# The ground truth of `eval` and `doctor`.
TruthRoot: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder that the paths of --split or --truth are under.",
    ),
]
Split: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--split",
        metavar="FILE",
        help="Split of the literature: a .mat file (Pittsburgh, Tokyo) or .npz (Patch-NetVLAD).",
    ),
]
QueriesDir: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--queries-dir",
        metavar="NAME",
        help="Folder of a split's queries under the root "
        "(default: queries_real or queries, whichever there is).",
    ),
]
TruthFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="FILE",
        help="CSV with the columns query,positives; ';' between positives.",
    ),
]
Database: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="FILE|DIR",
        help="Database photos. With --truth: a CSV with the column path, or a folder (default: "
        "all positives). With --queries: photos with positions, as DATA.",
    ),
]
Queries: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--queries",
        metavar="FILE|DIR",
        help="Query photos with positions, to be found among those of --database.",
    ),
]
RightRadius: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--radius-m",
        help="Metres within which a photo is right (default: the split's own, else 25).",
    ),
]
RecallKs: TypeAlias = Annotated[
    str, typer.Option("--at", metavar="N,N,…", help="The N of Recall@N.")
]
RECALL_KS = "1,5,10"

# The filters of `search` and `similar`.
Near: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="LAT,LON", help="Only places near this point; needs --radius-m."),
]
NearRadius: TypeAlias = Annotated[
    float | None, typer.Option("--radius-m", help="Metres around --near.")
]
InFolder: TypeAlias = Annotated[
    str | None, typer.Option(help="Only places with photos in this folder of the indexed one.")
]
TakenFrom: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only photos taken on this day or later.")
]
TakenTo: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only photos taken on this day or earlier.")
]
Tags: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Only places with this tag; repeatable.")
]
Fields: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME:OP:VALUE",
        help="Only places with such an own field; eq, lt, le, gt or ge; repeatable.",
    ),
]

# Options for indexing a video, or photos with a track.
Gpx: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--gpx", metavar="FILE", help="Where the camera was, by the times of photos or frames."
    ),
]
Every: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--every", metavar="METRES", help="A frame of a video every 2m, say, along its --gpx."
    ),
]
Fps: TypeAlias = Annotated[
    float | None,
    typer.Option("--fps", metavar="N", help="Frames a second of a video (default: 2)."),
]
VideoStart: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--video-start",
        metavar="TIME",
        help="When a video starts, as 2026-05-01T10:00:00+02:00 (default: as it says itself).",
    ),
]
ClockOffset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--clock-offset",
        metavar="TIME",
        help="With --gpx: how far the clock of photos that name no time zone was ahead of UTC, as "
        "+02:00 or -00:01:30.",
    ),
]
Panoramas: TypeAlias = Annotated[
    Literal["auto", "2:1", "off"],
    typer.Option(
        "--panoramas",
        help="Cut 360° panoramas into views: those whose metadata says so (auto), all photos and "
        "frames of 2:1 too, or none (off).",
    ),
]
