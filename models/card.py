"""Model cards: a model's network, its sources, and the preprocessing of its photos.

A model is a folder: `card.toml` and a graph for each precision (`f32.onnx`, `int8.xml`).
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

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
"""The largest number of dimensions of an imported model."""
QUANTIZED = "quantized"
"""The parameter of a graph that was quantised to int8 before it was imported."""
DIRECTIONS_NAME = "directions.npy"
"""The directions that local features are projected to, (C, bits) float32."""
FITTED_TO_DESCRIPTORS = ("whitening", "directions")
"""The parts of `fitting` that hold for the descriptors and cells of one network."""
_OPENED = ("cropped", "precision", "saturates")
"""The fields that opening a model sets, which are never in a file."""
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class WeightSource:
    """A file that a model was made from."""

    what: str
    origin: str
    licence: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@N in per cent on a named data set, measured by place-search or published by others."""

    dataset: str
    kind: Literal["measured", "published"]
    at: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The aggregation of a model: a part of `models.aggregations` and its settings."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """The grid of local features that a graph gives with the descriptor.

    `channels` is the length of a feature, `stride` the pixels from one to the next, a multiple of
    the backbone's own stride.
    """

    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The contents of `card.toml`.

    `dims` is the length of the descriptor. `local_features` is None for a graph without them: then
    the model `verify_with`, by default the included one, verifies its results. `files` maps the
    name of each file beside the card to its sha256. Opening a model sets the last three fields,
    which are never in a file: `cropped` where `dims` are only the first of the graph's dimensions,
    `precision` of the graph, and `saturates` where this processor saturates the sums of int8
    products (`int8_saturates`).
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
        """The files of the graph in this precision; the first is the one to open."""
        return self.f32_files if self.precision == "f32" else GRAPHS[self.precision]

    @property
    def f32_files(self) -> tuple[str, ...]:
        """The files of the graph in float32."""
        return F32_IR if F32_IR[0] in self.files else GRAPHS["f32"]

    @property
    def opened_files(self) -> tuple[str, ...]:
        """The files that opening the model in this precision reads, its graph first."""
        own = (DIRECTIONS_NAME,) if DIRECTIONS_NAME in self.files else ()
        return (*self.graph_files, *own)

    @property
    def has_int8(self) -> bool:
        """Whether the model has a graph in int8."""
        return self.quantization is not None and all(name in self.files for name in GRAPHS["int8"])

    @property
    def is_quantized(self) -> bool:
        """Whether the float32 graph computes in int8, as it was quantised before its import."""
        return bool(self.aggregation.parameters.get(QUANTIZED))

    @property
    def has_weights(self) -> bool:
        """Whether the folder holds weights for torch, too."""
        return WEIGHTS_NAME in self.files

    def require_weights(self) -> None:
        """Raise `ModelError` if the folder holds only a graph."""
        if not self.has_weights:
            raise ModelError(
                f"'{self.id}' is a graph alone, so torch can neither run, train, whiten nor export "
                "it; use the OpenVINO runtime, or a model with weights."
            )

    @property
    def main_file(self) -> str:
        """The file of the weights: torch's, or the graph's for a model without torch weights."""
        return WEIGHTS_NAME if self.has_weights else F32_IR[1]

    @property
    def in_0_1_words(self) -> dict[str, int | None]:
        """The values of the keys by which version 0.1 described a model; None if it has none."""
        local = self.local_features
        return {
            "clusters": self.aggregation.parameters.get("clusters"),
            "channels": None if local is None else local.channels,
            "stride": None if local is None else local.stride,
        }

    @property
    def fitted_in_words(self) -> str | None:
        """The fitting and training of the weights, in words; None if not in the card."""
        description: str | None = self.fitting.get("what")
        if description is None:
            return None
        # Cards of version 0.1 describe training in `what`, too, after a semicolon.
        fitted = description.partition("; ")[0]
        return f"{fitted}; {'then' if 'training' in self.fitting else 'not'} trained on places"

    @property
    def is_ordered(self) -> bool:
        """Whether the first numbers of a descriptor say most: those of a PCA do.

        The last layer of MegaLoc, which passes for a whitening, was learnt.
        """
        return self.whitened and (self.aggregation.name != "salad" or "whitening" in self.fitting)

    def unwhitened(self) -> "ModelCard":
        """The card without its whitening, which was fitted to descriptors that change."""
        kept = {key: self.fitting[key] for key in self.fitting if key not in FITTED_TO_DESCRIPTORS}
        return replace(self, whitened=False, fitting=kept)

    @property
    def fingerprint(self) -> str:
        """A hash of weights, preprocessing and int8 graph, equal for comparable descriptors.

        Descriptors in float32 and int8 are not comparable: the cosines on the cards show that they
        differ more than similarities, calibrations and the order of close places tolerate.
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
    """The card of a model whose descriptors are cropped to their first `dims` numbers.

    It has no calibration, since fewer numbers make photos of other places more similar, and no
    figures, which were measured with all numbers.

    Raises:
        ModelError: the first numbers of the model are no better than others, or it gives fewer than
            `dims`.
    """
    if is_whole(dims) and dims == card.dims:
        return card
    if not card.is_ordered:
        fault = "has a learnt last layer" if card.whitened else "is not whitened"
        command = "place-search whiten" + (" PHOTOS.csv --views" if card.whitened else "")
        advice = (
            f"whiten it first with `{command}`"
            if card.has_weights
            else f"keep its {card.dims}, or import a graph that gives fewer"
        )
        raise ModelError(
            f"'{card.id}' {fault}, so its descriptors cannot be cropped to {dims} dimensions; "
            f"{advice}."
        )
    if not (is_whole(dims) and 0 < dims < card.dims):
        raise ModelError(
            f"'{card.id}' gives {card.dims} dimensions, so {dims!r:.40} cannot be kept; choose "
            f"1 to {card.dims}."
        )
    return replace(card, dims=int(dims), cropped=True, calibration=None, recall=())


def card_of(card: ModelCard, fingerprint: str, dims: int) -> ModelCard | None:
    """A model's card as opened with this fingerprint and `dims` dimensions.

    None if no way of opening the model gives these.
    """
    try:
        card = crop_card(card, dims)
    except ModelError:
        return None
    for precision in GRAPHS:
        for saturates in (False, True):
            opened = replace(card, precision=precision, saturates=saturates)
            has_files = all(name in card.files for name in opened.graph_files)
            if has_files and opened.fingerprint == fingerprint:
                return opened
    return None


def read_card(folder: Path) -> ModelCard:
    """Read a model folder's card.

    Raises:
        ModelError: no card, or a card with missing or wrong entries.
    """
    path = folder / CARD_NAME
    try:
        table = _from_version_0_1(tomllib.loads(read_regular(path).decode("utf-8-sig")))
        parts = {
            "aggregation": _made(Aggregation, table["aggregation"]),
            "local_features": _local_features(table.get("local_features")),
            "preprocessing": _made(Preprocessing, table["preprocessing"]),
            "sources": tuple(_made(WeightSource, row) for row in table.get("sources", ())),
            "recall": tuple(_made(Recall, row) for row in table.get("recall", ())),
            "calibration": _calibration(table.get("calibration")),
            "quantization": _quantization(table.get("quantization")),
        }
        card = _made(ModelCard, {**table, **parts})
        if not 0 < card.dims <= MAX_DIMS:
            raise ValueError(f"dims is {card.dims}")
        return card
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it holds no {CARD_NAME}.") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a usable model card ({error}); fetch it again, or update place-search."
        ) from error


def _made(kind: type[_Entry], table: Mapping[str, Any]) -> _Entry:
    """An entry of a card.

    Raises:
        ValueError: an unknown key, or a value of another type where a text, a whole number or a
            switch is due.
    """
    types = {each.name: each.type for each in fields(kind) if each.name not in _OPENED}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in types:
            raise ValueError(f"this version knows no key '{key:.40}'")
        if types[key] in (str, int, bool) and type(value) is not types[key]:
            raise ValueError(f"{key} is {value!r:.40}")
    return kind(**table)


def _from_version_0_1(table: dict[str, Any]) -> dict[str, Any]:
    """A card of version 0.1, when every model was a NetVLAD, in today's keys."""
    if "clusters" not in table:
        return table
    clusters, channels, stride = (table.pop(key) for key in ("clusters", "channels", "stride"))
    table["aggregation"] = {"name": "netvlad", "parameters": {"clusters": clusters}}
    table["local_features"] = {"channels": channels, "stride": stride}
    return table


def _local_features(table: Mapping[str, Any] | None) -> LocalFeatures | None:
    return None if table is None else _made(LocalFeatures, table)


def _calibration(table: Mapping[str, Any] | None) -> Calibration | None:
    return None if table is None else read_calibration(table)


def _quantization(table: Mapping[str, Any] | None) -> Quantization | None:
    if table is None:
        return None
    rows = tuple(_made(PrecisionRecall, row) for row in table.get("measured", ()))
    return _made(Quantization, {**table, "measured": rows})


def has_id(folder: Path, model_id: str) -> bool:
    """Whether the card of a folder can be read, and has this id."""
    try:
        return read_card(folder).id == model_id
    except ModelError:
        return False


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a card for `read_card`; an existing card is replaced atomically."""
    table = {
        key: value
        for key, value in asdict(card, dict_factory=_without_none).items()
        if value not in ((), {}, []) and key not in _OPENED
    }
    write_whole(folder / CARD_NAME, tomli_w.dumps(table).encode())


def _without_none(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Drop None, which TOML cannot express."""
    return {key: value for key, value in items if value is not None}
