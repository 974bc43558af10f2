"""What may be asked of a search."""

import numpy as np

from place_search.core.geodesy import Position
from place_search.core.tables import is_whole
from place_search.photos import PhotoBox
from place_search.search.errors import ParameterError
from place_search.search.positions import require_near
from place_search.search.several.together import require_few

MAX_K = 100


def check_parameters(
    k: int, near: Position | None, radius_m: float | None, photos: int, box: PhotoBox | None
) -> None:
    """Make sure that a search of so many photos can be asked for. Raises `ParameterError`."""
    require_few(photos)
    if box is not None and photos > 1:
        raise ParameterError("A box is for a query of one photo; send one, or no box.", "box")
    require_k(k)
    require_near(near, radius_m)


def require_k(k: int, most: int = MAX_K) -> None:
    """Make sure that so many results can be asked for. Raises `ParameterError`."""
    if not (is_whole(k) and 1 <= k <= most):
        raise ParameterError(
            f"The parameter k is {k!r:.40}, but it must be a whole number from 1 to {most}.", "k"
        )


def switch_of(name: str, value: object, *, or_none: bool = True) -> bool | None:
    """A parameter that is on, off or left to the default, of Python or NumPy.

    Raises:
        ParameterError: it is something else.
    """
    given = bool(value) if isinstance(value, np.bool_) else value
    if isinstance(given, bool) or (or_none and given is None):
        return given
    known = "True, False or None" if or_none else "True or False"
    raise ParameterError(f"The parameter {name} is {value!r:.40}, but it must be {known}.", name)
