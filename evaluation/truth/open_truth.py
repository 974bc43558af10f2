"""Opens a truth of any kind: a split, an `@` folder, a truth CSV, photos with positions."""

from place_search.core.plugins import load_part, part_names
from place_search.evaluation.errors import TruthError
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.truth.truth_files import TruthFiles

KINDS = "place_search.evaluation.truth.kinds"
LAST = "positions"


def open_truth(files: TruthFiles, *, lenient: bool = False) -> GroundTruth:
    """Read the truth that `files` name.

    When `lenient`, the photos of a split or a truth CSV that do not exist are listed as `missing`;
    those that a list beside a folder names always are.

    Raises:
        TruthError: the options contradict each other, or the truth cannot be used.
        SourceError: photos that cannot be listed.
    """
    reason = files.why_not()
    if reason:
        raise TruthError(reason)
    listed = files.split or files.truth
    if listed is not None and files.root is not None and listed.is_dir() and files.root.is_file():
        raise TruthError(
            f"{listed} is a folder and {files.root} a file: were they meant the other way round, "
            "the list first and the folder of its photos after --root?"
        )
    names = [name for name in part_names(KINDS) if name != LAST]
    kinds = (load_part(KINDS, name) for name in (*names, LAST))
    kind = next(kind for kind in kinds if kind.reads(files))
    truth: GroundTruth = kind.read(files, lenient)
    return truth
