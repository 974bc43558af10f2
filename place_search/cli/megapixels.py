"""The option that commands which read photos share; the server has a setting of this name."""

from typing import Annotated, TypeAlias

import typer

DEFAULT_MEGAPIXELS = 50
MaxMegapixels: TypeAlias = Annotated[
    int,
    typer.Option(
        "--max-megapixels",
        envvar="PLACE_SEARCH_MAX_MEGAPIXELS",
        min=1,
        help="Largest photo to decode, in million pixels; of a JPEG, after scaling it down.",
    ),
]
