"""The preprocessing of photos for a graph: from its metadata, or from the options of an import."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from place_search.models.errors import ModelError
from place_search.photos.preprocessing import MIN_SIDE, Preprocessing

MAX_SIDE = 4096
EXAMPLE = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
_RANGES = {
    "nominalrange_0_255": ((0.0,) * 3, (1 / 255,) * 3),
    "normalized_0_1": ((0.0,) * 3, (1.0,) * 3),
    "normalized_1_1": ((0.5,) * 3, (0.5,) * 3),
}
"""ONNX's own metadata for images, as mean and std of values 0–1."""

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """The options for importing a graph; '' leaves an option to the graph's metadata.

    `size` is "322x322" (width × height) or "multiple-of 14"; `mean` and `std` are three numbers,
    as in "0.485,0.456,0.406", of RGB values 0–1, or 0–255 if any of them is above 1, whatever the
    order of the `channels` in the graph. `output` is the name of the descriptor's output.
    """

    size: str = ""
    mean: str = ""
    std: str = ""
    channels: Literal["rgb", "bgr", ""] = ""
    output: str = ""

    def completed(self, metadata: Mapping[str, str]) -> "GraphOptions":
        """The options, with missing values taken from a graph's metadata."""
        keys = {key.lower().removeprefix("image_"): text for key, text in metadata.items()}
        mean, std = keys.get("mean", ""), keys.get("std", "")
        value_range = _RANGES.get(metadata.get("Image.NominalPixelRange", "").lower())
        if value_range is not None and not (mean or std):
            mean, std = (str(list(values)) for values in value_range)
        pixels = metadata.get("Image.BitmapPixelFormat", "").lower()
        return GraphOptions(
            self.size or keys.get("size", "") or keys.get("imgsz", ""),
            self.mean or mean,
            self.std or std,
            self.channels or ("bgr" if pixels.startswith("bgr") else "rgb"),
            self.output,
        )


def parse_size(text: str) -> Preprocessing:
    """The preprocessing of a size such as "322x322" or "multiple-of 14".

    Metadata may hold a number or the list [height, width]. Multiples keep a photo's aspect ratio,
    at about 640 × 480 pixels.

    Raises:
        ModelError: the text is no size, or the size is out of range.
    """
    words = text.strip().lower()
    if match := re.fullmatch(r"multiple[-_ ]of[-_ =:]*(\d{1,4})", words):
        step = int(match[1])
        if 1 <= step <= MAX_SIDE // 8:
            return Preprocessing("area", multiple=step)
    elif match := re.fullmatch(r"(\d{1,5})\s*[x×]\s*(\d{1,5})", words):
        return _exact(text, int(match[1]), int(match[2]))
    elif (sides := _numbers(words)) and len(sides) <= 2 and all(map(float.is_integer, sides)):
        return _exact(text, int(sides[-1]), int(sides[0]))
    raise ModelError(f"'{text}' is no size; give --size as in 322x322, or --size 'multiple-of 14'.")


def _exact(text: str, width: int, height: int) -> Preprocessing:
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise ModelError(
            f"The size {text} is not from {MIN_SIDE} to {MAX_SIDE} pixels a side; give --size as "
            "in 322x322."
        )
    return Preprocessing("exact", width, height)


def parse_normalisation(mean: str, std: str) -> tuple[Triple, Triple]:
    """Mean and std of RGB values 0–1.

    Raises:
        ModelError: a text is not one or three finite numbers, a std is not above 0, or one of the
            two is in 0–1 and the other in 0–255.
    """
    means, stds = (_triple(text) for text in (mean, std))
    if means is None or stds is None or min(stds) <= 0:
        raise ModelError(
            f"A mean of '{mean}' and a std of '{std}' are not three finite numbers each, with "
            f"every std above 0; give them as in {EXAMPLE}."
        )
    of_bytes = max(*means, *stds) > 1
    if of_bytes and (0 < max(means) <= 1 or max(stds) < 1):
        raise ModelError(
            f"Of a mean of '{mean}' and a std of '{std}' one is of values 0–1 and the other of "
            f"0–255; give both of the same values, as in {EXAMPLE}."
        )
    unit = 255 if of_bytes else 1
    return _scaled(means, unit), _scaled(stds, unit)


def _scaled(values: Triple, unit: int) -> Triple:
    red, green, blue = values
    return red / unit, green / unit, blue / unit


def _triple(text: str) -> Triple | None:
    values = _numbers(text)
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        return None
    return values[0], values[1], values[2]


def _numbers(text: str) -> list[float]:
    """The finite numbers in "1,.2,3", "[1, .2, 3]", "(1, .2, 3)" or "1"; [] if one is none."""
    inner = text.strip()
    if inner[:1] + inner[-1:] in ("[]", "()"):
        inner = inner[1:-1]
    try:
        values = [float(word) for word in inner.split(",")]
    except ValueError:
        return []
    return values if all(map(math.isfinite, values)) else []
