"""A model opened for use: photo in, descriptor and local features out."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from place_search.core.files import sha256_of
from place_search.core.memory import require_address_space
from place_search.core.settings import MODEL
from place_search.models.card import CARD_NAME, ModelCard, crop_card, read_card
from place_search.models.choose_precision import choose_precision
from place_search.models.errors import ModelError
from place_search.models.precision import GRAPHS, AskedPrecision, int8_instructions, int8_saturates
from place_search.models.runtimes.base import Embedding, Key, Mode, Runtime
from place_search.photos import Photo, decode_photo
from place_search.photos.decoding import MAX_PIXELS
from place_search.photos.preprocessing import resize_photo

DEFAULT_MODEL: str = MODEL.default


def weights_folder() -> Path:
    """The folder that holds the model folders: `PLACE_SEARCH_WEIGHTS`, else the shipped one."""
    override = os.environ.get("PLACE_SEARCH_WEIGHTS")
    return Path(override) if override else _shipped_weights()


def _shipped_weights() -> Path:
    return Path(str(files("place_search.weights")))


def find_model(model: str | Path = DEFAULT_MODEL) -> Path:
    """The folder of a model, given as that folder or as an id under weights/.

    Raises:
        ModelError: there is no such model; the message lists those there are.
    """
    candidates = [Path(model), weights_folder() / model, _shipped_weights() / model]
    for folder in candidates:
        if (folder / CARD_NAME).is_file():
            return folder
    known = sorted({card.parent.name for card in weights_folder().glob(f"*/{CARD_NAME}")})
    raise ModelError(
        f"There is no model '{model}': name a model folder or one of {', '.join(known) or 'none'}."
    )


def find_card(model: str, fingerprint: str, dims: int) -> ModelCard | None:
    """The card of a model as it was opened where it had this fingerprint and so many dimensions.

    None where there is no such model, or another one of its id.
    """
    try:
        card = read_card(find_model(model))
        card = card if card.dims == dims else crop_card(card, dims)
    except ModelError:
        return None
    for precision, graphs in GRAPHS.items():
        if not all(name in card.files for name in graphs):
            continue
        for saturates in (False, True):
            opened = replace(card, precision=precision, saturates=saturates)
            if opened.fingerprint == fingerprint:
                return opened
    return None


class Model:
    """A model card with a runtime behind it. Thread-safe.

    `reason` says why it was opened in the card's precision; photos of which more than `max_pixels`
    would be decoded are refused.
    """

    def __init__(
        self, card: ModelCard, runtime: Runtime, folder: Path | None = None, *, reason: str = ""
    ) -> None:
        self.card = card
        self.runtime = runtime
        self.folder = folder
        self.reason = reason
        self.max_pixels = MAX_PIXELS

    @property
    def in_words(self) -> str:
        """The precision, and why it was chosen."""
        return f"{self.card.precision}, {self.reason}" if self.reason else self.card.precision

    @property
    def in_short(self) -> str:
        """The precision, and what kept it from being int8."""
        return self.in_words if self.card.precision == "f32" else self.card.precision

    @property
    def fingerprint(self) -> str:
        """Descriptors of two models compare only where their fingerprints are equal."""
        return self.card.fingerprint

    @property
    def limit_in_words(self) -> str:
        """The limit on pixels where it is not the usual one: other photos are then skipped."""
        return "" if self.max_pixels == MAX_PIXELS else f" of at most {self.max_pixels} pixels"

    def read(self, source: Path | bytes) -> Photo:
        """Decode a photo, at no more scale than this model needs. Raises `PhotoError`."""
        return decode_photo(source, needed=self.card.preprocessing.size, max_pixels=self.max_pixels)

    def prepare(self, photo: Photo) -> NDArray[np.uint8]:
        """Resize a photo's pixels to what the graph takes: (h, w, 3) uint8."""
        return resize_photo(photo, self.card.preprocessing)

    def embed(self, photo: Photo) -> Embedding:
        """Embed one decoded photo."""
        return self._crop(self.runtime.embed(self.prepare(photo)))

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many prepared photos (`prepare`), several at once, in their order."""
        embeddings = self.runtime.stream(photos)
        if not self.card.cropped:
            return embeddings
        return ((key, self._crop(embedding)) for key, embedding in embeddings)

    def _crop(self, embedding: Embedding) -> Embedding:
        if not self.card.cropped:
            return embedding
        kept = embedding.descriptor[: self.card.dims]
        # Like torch's normalize, so that a row of zeros stays one.
        return Embedding(kept / max(float(np.linalg.norm(kept)), 1e-12), embedding.local_features)


def open_model(
    model: str | Path = DEFAULT_MODEL,
    *,
    runtime: Literal["openvino", "torch"] = "openvino",
    mode: Mode = "latency",
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "f32",
) -> Model:
    """Open a model by id or folder, after checking its graph against the card's sha256.

    `mode` says whether one photo's time or many photos' rate counts; `threads` bounds the CPU
    threads (default: all). Of a whitened model's descriptors the first `dims` numbers are kept,
    L2-normalised again. `precision` "auto" is int8 where `choose_precision` says so; torch runs in
    float32 only.

    Raises:
        ModelError: unknown model, altered or missing graph, a runtime that is not installed, a
            precision that this model or runtime has not, or `dims` that it cannot be cropped to.
    """
    folder = find_model(model)
    card = read_card(folder)
    if runtime == "torch":
        if precision == "int8":
            raise ModelError("The torch runtime has no int8; use --precision f32.")
        precision = "f32"
    instructions = int8_instructions() if precision == "auto" else None
    chosen = choose_precision(card, precision, instructions=instructions)
    saturates = chosen.precision == "int8" and int8_saturates()
    card = replace(card, precision=chosen.precision, saturates=saturates)
    opened = card if dims is None else crop_card(card, dims)
    for graph in (folder / name for name in card.graph_files):
        if not graph.is_file() or sha256_of(graph) != card.files.get(graph.name):
            raise ModelError(f"{graph} is missing or altered; fetch model '{card.id}' again.")
    opened_runtime = _open_runtime(runtime, folder, card, mode, threads)
    return Model(opened, opened_runtime, folder, reason=chosen.reason)


def _open_runtime(
    runtime: str, folder: Path, card: ModelCard, mode: Mode, threads: int | None
) -> Runtime:
    require_address_space()
    if runtime == "openvino":
        from place_search.models.runtimes.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(folder / card.graph_files[0], mode=mode, threads=threads)
    try:
        from place_search.models.runtimes.torch_runtime import TorchRuntime
    except ImportError:
        raise ModelError(
            "The torch runtime is not installed; run: pip install 'place-search[train]'."
        ) from None
    return TorchRuntime(folder, card, threads=threads)
