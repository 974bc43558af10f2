"""The option --precision, which many commands take."""

from typing import Annotated, TypeAlias

from place_search.core.settings import PRECISION, AskedPrecision

PrecisionOption: TypeAlias = Annotated[AskedPrecision, PRECISION.option()]
