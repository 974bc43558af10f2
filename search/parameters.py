"""The checks of a search's parameters."""

import numpy as np

from place_search.core.geodesy import Position
from place_search.core.tables import is_whole
from place_search.photos import PhotoBox
from place_search.search.errors import ParameterError
from place_search.search.positions import require_near
from place_search.search.several.fusion import require_few

MAX_K = 100


def check_parameters(
    k: int, near: Position | None, radius_m: float | None, photos: int, box: PhotoBox | None
) -> None:
    """Check the parameters of a search with `photos` photos. Raises `ParameterError`."""
    require_few(photos)
    if box is not None and photos > 1:
        raise ParameterError("A box is for a query of one photo; send one, or no box.", "box")
    require_k(k)
    require_near(near, radius_m)


def require_k(k: int, maximum: int = MAX_K) -> None:
    """Check that `k` is a whole number from 1 to `maximum`. Raises `ParameterError`."""
    if not (is_whole(k) and 1 <= k <= maximum):
        raise ParameterError(
            f"The parameter k is {k!r:.40}, but it must be a whole number from 1 to {maximum}.", "k"
        )


def switch_of(name: str, value: object, *, or_none: bool = True) -> bool | None:
    """The value of a switch: True, False or, for the default, None; NumPy's booleans too.

    Raises:
        ParameterError: the value is something else.
    """
    switch = bool(value) if isinstance(value, np.bool_) else value
    if isinstance(switch, bool) or (or_none and switch is None):
        return switch
    allowed = "True, False or None" if or_none else "True or False"
    raise ParameterError(f"The parameter {name} is {value!r:.40}, but it must be {allowed}.", name)
