"""The types of what `import place_search` takes and gives, for annotations."""

from place_search.arguments import (
    AnyModel,
    AnyPath,
    AnyProgress,
    Filters,
    Photo,
    TruthArguments,
    VideoArguments,
)
from place_search.core.geodesy import Position, Utm
from place_search.core.settings import AskedPrecision
from place_search.evaluation import Diagnosis, EvalReport, Finding
from place_search.indexer import BuildReport, ChangeReport, Hit, Index, Place, Skipped
from place_search.models import Model
from place_search.photos.photo import Facing
from place_search.search.index_calibration import IndexCalibration
from place_search.search.location import Location
from place_search.search.pairs import Pairs
from place_search.search.probability import Match
from place_search.search.results import (
    CompareResult,
    QueryPhoto,
    Result,
    SearchResult,
    SearchTable,
    Spot,
    Timings,
    Verified,
)
from place_search.search.similar import SimilarPlaces
from place_search.search.tracks.located import LocatedFrame
from place_search.search.tracks.track import Track

__all__ = [
    "AnyModel",
    "AnyPath",
    "AnyProgress",
    "AskedPrecision",
    "BuildReport",
    "ChangeReport",
    "CompareResult",
    "Diagnosis",
    "EvalReport",
    "Facing",
    "Filters",
    "Finding",
    "Hit",
    "Index",
    "IndexCalibration",
    "LocatedFrame",
    "Location",
    "Match",
    "Model",
    "Pairs",
    "Photo",
    "Place",
    "Position",
    "QueryPhoto",
    "Result",
    "SearchResult",
    "SearchTable",
    "SimilarPlaces",
    "Skipped",
    "Spot",
    "Timings",
    "Track",
    "TruthArguments",
    "Utm",
    "Verified",
    "VideoArguments",
]
