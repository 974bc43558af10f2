"""place-search from Python: index photos of places, search them, evaluate models.

>>> import place_search
>>> place_search.index("photos", "indexes/town")
>>> place_search.search("indexes/town", "photo.jpg").results[0].name

docs/python.md shows all of it. Errors are `PlaceSearchError`: one sentence each.
"""

# `startup` comes first: it sets switches that other packages read when they are imported, and lets
# Ctrl-C end the program without a traceback.
import place_search.core.startup

# A room's first import binds its name here: the room `search` must come before the function.
import place_search.search  # noqa: F401
from place_search.adding import add_photo
from place_search.api import (
    add,
    calibrate,
    compare,
    describe,
    doctor,
    evaluate,
    index,
    open_index,
    open_model,
    remove,
    sync,
)
from place_search.core.errors import PlaceSearchError
from place_search.core.version import program_version
from place_search.pairing import pairs
from place_search.searching import search, search_many, similar, table
from place_search.tracking import track

TYPE_CHECKING = False  # type checkers take it for True, and importing `typing` takes 4 ms
__version__: str

__all__ = [
    "PlaceSearchError",
    "__version__",
    "add",
    "add_photo",
    "calibrate",
    "compare",
    "describe",
    "doctor",
    "evaluate",
    "index",
    "open_index",
    "open_model",
    "pairs",
    "remove",
    "search",
    "search_many",
    "similar",
    "sync",
    "table",
    "track",
]

if not TYPE_CHECKING:  # type checkers would accept any attribute because of `__getattr__`

    def __getattr__(name: str) -> str:
        """The version, looked up on first use: most processes do not need it."""
        if name == "__version__":
            return program_version()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
