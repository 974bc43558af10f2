"""The options that say what is right, shared by `eval` and `doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from place_search.evaluation import TruthFiles

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder that the paths of --split or --truth are under.",
    ),
]
Split = Annotated[
    Path | None,
    typer.Option(
        "--split",
        metavar="FILE",
        help="Split of the literature: a .mat file (Pittsburgh, Tokyo) or .npz (Patch-NetVLAD).",
    ),
]
QueriesDir = Annotated[
    str | None,
    typer.Option(
        "--queries-dir",
        metavar="NAME",
        help="Folder of a split's queries under the root "
        "(default: queries_real or queries, whichever there is).",
    ),
]
TruthFile = Annotated[
    Path | None,
    typer.Option(
        "--truth",
        metavar="FILE",
        help="CSV with the columns query,positives; ';' between positives.",
    ),
]
Database = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="FILE|DIR",
        help="Database photos. With --truth: a CSV with the column path, or a folder (default: "
        "all positives). With --queries: photos with positions, as DATA.",
    ),
]
Queries = Annotated[
    Path | None,
    typer.Option(
        "--queries",
        metavar="FILE|DIR",
        help="Query photos with positions, to be found among those of --database.",
    ),
]
Radius = Annotated[
    float | None,
    typer.Option(
        "--radius-m",
        help="Metres within which a photo is right (default: the split's own, else 25).",
    ),
]
RecallKs = Annotated[str, typer.Option("--at", metavar="N,N,…", help="The N of Recall@N.")]
RECALL_KS = "1,5,10"


def truth_files(**given: Any) -> "TruthFiles":
    """The options as `TruthFiles` names them, or a usage error where they contradict each other."""
    from place_search.evaluation import TruthFiles

    files = TruthFiles(**given)
    if reason := files.why_not():
        raise typer.BadParameter(reason)
    return files


def parse_ks(text: str) -> list[int]:
    """The N of Recall@N from `1,5,10`."""
    from place_search.evaluation import TruthError, checked_ks

    try:
        return checked_ks([int(part) for part in text.split(",")])
    except (ValueError, TruthError):
        raise typer.BadParameter(
            f"--at {text}: write whole numbers from 1, as in 1,5,10."
        ) from None
