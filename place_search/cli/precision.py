"""The option --precision, which many commands take."""

from typing import Annotated, Literal, TypeAlias

from place_search.core.settings import PRECISION

Precision: TypeAlias = Literal["auto", "f32", "int8"]
PrecisionOption: TypeAlias = Annotated[Precision, PRECISION.option()]
