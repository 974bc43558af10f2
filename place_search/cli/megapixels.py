"""The option that commands which read photos share."""

from typing import Annotated, TypeAlias

from place_search.settings import MAX_MEGAPIXELS

MaxMegapixels: TypeAlias = Annotated[
    int,
    MAX_MEGAPIXELS.option(
        min=1, help="Largest photo to decode, in million pixels; of a JPEG, after scaling it down."
    ),
]
