"""Model cards: what a model is, where it came from, and how a photo must be prepared for it.

A model is a folder: `card.toml` beside one graph a precision (`f32.onnx`, `int8.xml`).
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from place_search.core.files import read_regular, write_whole
from place_search.core.tables import is_whole
from place_search.models.calibration import Calibration, read_calibration
from place_search.models.errors import ModelError
from place_search.models.precision import F32_IR, GRAPHS, Precision, PrecisionRecall, Quantization
from place_search.photos import Preprocessing

CARD_NAME = "card.toml"
WEIGHTS_NAME = "weights.safetensors"
MAX_DIMS = 1 << 17
"""The longest descriptor that a model which is imported may give."""
DIRECTIONS_NAME = "directions.npy"
"""The directions that local features are projected to, (C, bits) float32."""


@dataclass(frozen=True, slots=True)
class WeightSource:
    """A file that a model was made from."""

    what: str
    origin: str
    licence: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@N in per cent on a named data set; `kind` says whether we measured or quote it."""

    dataset: str
    kind: Literal["measured", "published"]
    at: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How local features become a descriptor: a part of `models.aggregations` and its settings."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """The grid of local features that a graph gives beside the descriptor.

    `channels` is the width of one, `stride` the pixels from one to the next, a multiple of the
    backbone's own stride.
    """

    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The contents of `card.toml`.

    `dims` is the length of the descriptor. `local_features` is None where the graph gives none:
    then those of the model `verify_with` verify its results, by default the included one's. `files`
    maps the name of each file beside the card to its sha256.
    `cropped` says that `dims` are only the first of those that the graph gives, `precision` which
    graph it is, and `saturates` that this processor cuts the sums of its int8 products
    (`int8_saturates`); they are set when a model is opened, never in a file.
    """

    id: str
    title: str
    family: str
    backbone: str
    aggregation: Aggregation
    local_features: LocalFeatures | None
    dims: int
    licence: str
    preprocessing: Preprocessing
    files: Mapping[str, str]
    whitened: bool = False
    sources: Sequence[WeightSource] = ()
    fitting: Mapping[str, Any] = field(default_factory=dict)
    recall: Sequence[Recall] = ()
    calibration: Calibration | None = None
    quantization: Quantization | None = None
    verify_with: str | None = None
    cropped: bool = False
    precision: Precision = "f32"
    saturates: bool = False

    @property
    def graph_files(self) -> tuple[str, ...]:
        """The files of the graph in this precision, the one to open first."""
        return self.f32_files if self.precision == "f32" else GRAPHS[self.precision]

    @property
    def f32_files(self) -> tuple[str, ...]:
        """The files of the graph in float32."""
        return F32_IR if F32_IR[0] in self.files else GRAPHS["f32"]

    @property
    def opened_files(self) -> tuple[str, ...]:
        """What is read to open the model in this precision, its graph first."""
        own = (DIRECTIONS_NAME,) if DIRECTIONS_NAME in self.files else ()
        return (*self.graph_files, *own)

    @property
    def has_int8(self) -> bool:
        """Whether the model has a graph in int8."""
        return self.quantization is not None and all(name in self.files for name in GRAPHS["int8"])

    @property
    def has_weights(self) -> bool:
        """Whether the folder holds weights for torch beside the graph."""
        return WEIGHTS_NAME in self.files

    def require_weights(self) -> None:
        """Raise `ModelError` where the folder holds a graph alone."""
        if not self.has_weights:
            raise ModelError(
                f"'{self.id}' is a graph alone, so torch can neither run, train, whiten nor export "
                "it; use the OpenVINO runtime, or a model with weights."
            )

    @property
    def main_file(self) -> str:
        """The file of the weights: torch's, or those of a model that is a graph alone."""
        return WEIGHTS_NAME if self.has_weights else F32_IR[1]

    @property
    def in_0_1_words(self) -> dict[str, int | None]:
        """The keys by which version 0.1 described a model; None for what this one has not."""
        local = self.local_features
        return {
            "clusters": self.aggregation.parameters.get("clusters"),
            "channels": None if local is None else local.channels,
            "stride": None if local is None else local.stride,
        }

    @property
    def fitted_in_words(self) -> str | None:
        """How the weights came to be, where the card says."""
        what: str | None = self.fitting.get("what")
        if what is None:
            return None
        # Cards of version 0.1 say it in `what` too, and so before they were trained further.
        fitted = what.partition("; ")[0]
        return f"{fitted}; {'then' if 'training' in self.fitting else 'not'} trained on places"

    @property
    def fingerprint(self) -> str:
        """A hash of weights, preprocessing and int8 graph: descriptors compare where it is equal.

        Those of float32 and int8 do not: by the cosines on the cards they are further apart than
        what similarities, calibrations and the order of close places can bear.
        """
        parts: dict[str, Any] = {
            "weights": self.files[self.main_file],
            "preprocessing": asdict(self.preprocessing),
        }
        if DIRECTIONS_NAME in self.files:
            parts["directions"] = self.files[DIRECTIONS_NAME]
        if self.cropped:
            parts["dims"] = self.dims
        if self.precision != "f32" or not self.has_weights:
            parts["graph"] = [self.files[name] for name in self.graph_files]
        if self.saturates:
            parts["saturates"] = True
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def crop_card(card: ModelCard, dims: int) -> ModelCard:
    """The card of a model of which only the first `dims` numbers of a descriptor are kept.

    It has no calibration, since fewer numbers make photos of other places more similar, and none of
    the figures that were measured with all of them.

    Raises:
        ModelError: the model is not whitened, so that its first numbers are no better than any,
            or gives fewer than `dims`.
    """
    if is_whole(dims) and dims == card.dims:
        return card
    if not card.whitened:
        advice = (
            "whiten it first with `place-search whiten`"
            if card.has_weights
            else f"keep its {card.dims}, or import a graph that gives fewer"
        )
        raise ModelError(
            f"'{card.id}' is not whitened, so its descriptors cannot be cropped to {dims} "
            f"dimensions; {advice}."
        )
    if not (is_whole(dims) and 0 < dims < card.dims):
        raise ModelError(
            f"'{card.id}' gives {card.dims} dimensions, so {dims!r:.40} cannot be kept; choose "
            f"1 to {card.dims}."
        )
    return replace(card, dims=int(dims), cropped=True, calibration=None, recall=())


def read_card(folder: Path) -> ModelCard:
    """Read a model folder's card.

    Raises:
        ModelError: no card, or a card that does not say what it must.
    """
    path = folder / CARD_NAME
    try:
        table = _from_version_0_1(tomllib.loads(read_regular(path).decode("utf-8-sig")))
        return ModelCard(
            **{
                **table,
                "aggregation": Aggregation(**table["aggregation"]),
                "local_features": _local_features(table.get("local_features")),
                "preprocessing": Preprocessing(**table["preprocessing"]),
                "sources": tuple(WeightSource(**row) for row in table.get("sources", ())),
                "recall": tuple(Recall(**row) for row in table.get("recall", ())),
                "calibration": _calibration(table.get("calibration")),
                "quantization": _quantization(table.get("quantization")),
            }
        )
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it holds no {CARD_NAME}.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path} is not a usable model card ({error}); fetch it again.") from error


def _from_version_0_1(table: dict[str, Any]) -> dict[str, Any]:
    """A card as version 0.1 wrote it, where every model was NetVLAD's, in today's keys."""
    if "clusters" not in table:
        return table
    clusters, channels, stride = (table.pop(key) for key in ("clusters", "channels", "stride"))
    table["aggregation"] = {"name": "netvlad", "parameters": {"clusters": clusters}}
    table["local_features"] = {"channels": channels, "stride": stride}
    return table


def _local_features(table: Mapping[str, Any] | None) -> LocalFeatures | None:
    return None if table is None else LocalFeatures(**table)


def _calibration(table: Mapping[str, Any] | None) -> Calibration | None:
    return None if table is None else read_calibration(table)


def _quantization(table: Mapping[str, Any] | None) -> Quantization | None:
    if table is None:
        return None
    rows = tuple(PrecisionRecall(**row) for row in table.get("measured", ()))
    return Quantization(**{**table, "measured": rows})


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a card so that `read_card` gives it back; one that is there is replaced at once."""
    table = {
        key: value
        for key, value in asdict(card, dict_factory=_without_none).items()
        if value not in ((), {}, []) and key not in ("cropped", "precision", "saturates")
    }
    write_whole(folder / CARD_NAME, tomli_w.dumps(table).encode())


def _without_none(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """TOML has no word for what is not there."""
    return {key: value for key, value in items if value is not None}
