"""place-search from Python: open an index, search it, describe photos.

>>> import place_search
>>> index = place_search.open_index("indexes/demo")
>>> place_search.search(index, "photo.jpg").results[0].name
"""

# It comes first: other imports take their time, and read the switches that it sets.
import place_search.core.startup

# A room's first import binds its name here: the room `search` must come before the function.
import place_search.search  # noqa: F401
from place_search.api import describe, open_index, open_model, search

__all__ = ["describe", "open_index", "open_model", "search"]
