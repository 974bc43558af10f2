"""Opened models, which give descriptors and local features of photos."""

import os
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from importlib.resources import files
from itertools import tee
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from place_search.core.errors import shell_command
from place_search.core.files import sha256_of
from place_search.core.memory import require_address_space
from place_search.core.settings import MODEL, AskedPrecision
from place_search.core.tables import is_whole
from place_search.models.card import (
    CARD_NAME,
    LocalFeatures,
    ModelCard,
    card_of,
    crop_card,
    has_id,
    read_card,
)
from place_search.models.choose_precision import choose_precision
from place_search.models.errors import ModelError
from place_search.models.local_features import CODE_BYTES, read_directions
from place_search.models.precision import int8_instructions, int8_saturates
from place_search.models.runtimes.base import Embedding, Key, Mode, Runtime
from place_search.photos import Photo, PhotoBox, Preprocessing, UnreadablePhotoError
from place_search.photos.black_frame import black_frame
from place_search.photos.decoding import MAX_PIXELS
from place_search.photos.preprocessing import decode_for, resize_photo

DEFAULT_MODEL: str = MODEL.default
NO_DESCRIPTOR = "The model can tell nothing of this photo; use one that shows a place."
"""The error for a photo without a usable descriptor."""
UNWHITENED_MODEL = "lite0-netvlad"
"""The default model without its whitening, to fit other whitenings on."""

Views: TypeAlias = tuple[NDArray[np.uint8], ...]
"""A photo's pixels for each of a model's networks, at that network's size: (h, w, 3) uint8 RGB."""


def weights_folder() -> Path:
    """The folder that holds the model folders: `PLACE_SEARCH_WEIGHTS`, else the shipped one."""
    override = os.environ.get("PLACE_SEARCH_WEIGHTS")
    return Path(override) if override else _shipped_weights()


def _shipped_weights() -> Path:
    # In a checkout the path leads through links; users know the resolved path.
    return Path(str(files("place_search.weights"))).resolve()


def find_model(model: str | Path = DEFAULT_MODEL) -> Path:
    """The folder of a model, given as a folder or as an id under weights/.

    A folder that was renamed is found by the id on its card, which its indexes store, if no other
    card has that id.

    Raises:
        ModelError: there is no such model, and the message lists the installed models; or a folder
            in the current one and another installed model have this name.
    """
    here, installed = Path(model), _installed(str(model))
    if (here / CARD_NAME).is_file():
        cards = {(folder / CARD_NAME).read_bytes() for folder in (here, installed or here)}
        if model == here.name and len(cards) > 1:  # a bare name, no `Path`, may mean either
            raise ModelError(
                f"'{model}' is a model in the current folder, and another one is {installed}; name "
                f"the one you mean by its path, such as ./{model}."
            )
        return here
    if installed is not None:
        return installed
    if here.is_file():
        raise ModelError(
            f"{model} is a file; make a model of it with "
            f"{shell_command('weights', 'import', model, '--as', 'ID')}, if it holds weights."
        )
    raise ModelError(
        f"There is no model '{model}': name a model folder or one of "
        f"{', '.join(folder.name for folder in _folders()) or 'none'}; PLACE_SEARCH_WEIGHTS names "
        "the folder that models are looked for in."
    )


def _installed(model: str) -> Path | None:
    """The folder of an installed model of this name, else the only one with this id."""
    named = [weights_folder() / model, _shipped_weights() / model]
    found = [folder for folder in named if (folder / CARD_NAME).is_file()]
    renamed = [] if found else [folder for folder in _folders() if has_id(folder, model)]
    return found[0] if found else renamed[0] if len(renamed) == 1 else None


def _folders() -> list[Path]:
    return sorted(card.parent for card in weights_folder().glob(f"*/{CARD_NAME}"))


def find_verifier(model: str | Path) -> Path:
    """The folder of a model whose local features can verify the results of another.

    Raises:
        ModelError: there is no such model, or it gives no local features.
    """
    folder = find_model(model)
    card = read_card(folder)
    if card.local_features is None:
        raise ModelError(
            f"'{card.id}' gives no local features, so that it can verify nothing; name a model "
            f"that does with --verify-with, such as {DEFAULT_MODEL}."
        )
    return folder


def find_card(model: str, fingerprint: str, dims: int) -> ModelCard | None:
    """The card of a model as opened with this fingerprint and `dims` dimensions.

    None if there is no such model, or its id is that of another model.
    """
    try:
        return card_of(read_card(find_model(model)), fingerprint, dims)
    except ModelError:
        return None


class Model:
    """A model card with a runtime. Thread-safe.

    `reason` explains the precision of the card; photos that would decode to more than `max_pixels`
    are refused. A `verifier` is a second model that gives the local features. Codes of local
    features come from their projections to `directions`, (C, bits) float32, if the model has its
    own.
    """

    def __init__(
        self,
        card: ModelCard,
        runtime: Runtime,
        folder: Path | None = None,
        *,
        reason: str = "",
        max_pixels: int = MAX_PIXELS,
        verifier: "Model | None" = None,
        directions: NDArray[np.float32] | None = None,
    ) -> None:
        self.card = card
        self.runtime = runtime
        self.folder = folder
        self.reason = reason
        self.max_pixels = max_pixels
        self.verifier = verifier
        self.directions = directions
        self.beside: Sequence[Preprocessing] = ()
        """Networks that do not run, but did for photos that these are compared with: a JPEG is
        decoded at a scale for these too, as the descriptor differs by 0.01 between scales."""

    def __repr__(self) -> str:
        return f"<Model {self.named}>"

    @property
    def in_words(self) -> str:
        """The precision, and the reason for it."""
        return f"{self.card.precision}, {self.reason}" if self.reason else self.card.precision

    @property
    def in_short(self) -> str:
        """The precision, and for f32 the reason for it."""
        return self.in_words if self.card.precision == "f32" else self.card.precision

    @property
    def named(self) -> str:
        """The model's id and precision, and the verifier's id if it has one."""
        by = "" if self.verifier is None else f", local features by {self.verifier.card.id}"
        return f"{self.card.id} in {self.in_short}{by}"

    @property
    def fingerprint(self) -> str:
        """Descriptors of two models compare only where their fingerprints are equal."""
        return self.card.fingerprint

    @property
    def code_bytes(self) -> int:
        """The bytes that a local feature takes in an index."""
        directions = (self.verifier or self).directions
        return CODE_BYTES if directions is None else directions.shape[1] // 8

    @property
    def local_features(self) -> LocalFeatures | None:
        """The grid of local features that `embed` gives with the descriptor."""
        return (self.verifier or self).card.local_features

    def with_verifier(self, verifier: "Model | None") -> "Model":
        """This model with another verifier, or with none."""
        if verifier is self.verifier:
            return self
        model = copy(self)
        model.verifier = verifier
        return model

    def alone(self) -> "Model":
        """This model without its verifier."""
        return self.with_verifier(None)

    @property
    def preprocessings(self) -> Sequence[Preprocessing]:
        """The preprocessing of each of the networks."""
        models = (self,) if self.verifier is None else (self, self.verifier)
        return [model.card.preprocessing for model in models]

    @property
    def limit_in_words(self) -> str:
        """The limit on pixels in words, "" for the default limit."""
        return "" if self.max_pixels == MAX_PIXELS else f" of at most {self.max_pixels} pixels"

    def read(
        self,
        source: Path | bytes,
        *,
        box: PhotoBox | None = None,
        panorama: bool | None = False,
    ) -> Photo:
        """Decode a photo or a box of it, at no larger scale than this model needs.

        A 360° `panorama` comes with its views, as `decode_for` cuts them.

        Raises:
            PhotoError: the photo cannot be read, or the box is not within it.
        """
        sizes = (*self.preprocessings, *self.beside)
        return decode_for(source, sizes, box, panorama=panorama, max_pixels=self.max_pixels)

    def prepare(self, photo: Photo) -> NDArray[np.uint8]:
        """Resize a photo's pixels for the graph: (h, w, 3) uint8."""
        return resize_photo(photo, self.card.preprocessing)

    def prepare_all(self, photo: Photo) -> Views:
        """Resize a photo's pixels for each of the networks."""
        return tuple(resize_photo(photo, preprocessing) for preprocessing in self.preprocessings)

    def embed(self, photo: Photo) -> Embedding:
        """Embed a decoded photo.

        Raises:
            UnreadablePhotoError: the model gives no usable descriptor for the photo.
        """
        pixels = self.prepare(photo)
        embedding = self._finish(self.runtime.embed(pixels), pixels)
        if not embedding.is_usable:
            raise UnreadablePhotoError(NO_DESCRIPTOR)
        if photo.box is not None:
            zoom = self.card.preprocessing.box_zoom(photo.width, photo.height, photo.box)
            embedding = embedding._replace(zoom=zoom)
        if self.verifier is None:
            return embedding
        return embedding.with_local_features_of(self.verifier.embed(photo))

    def stream(
        self, photos: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, Embedding]]:
        """Embed many prepared photos (`prepare`), several at once, in their order.

        The verifier does not run.
        """
        if self.card.local_features is None:
            for key, embedding in self.runtime.stream(photos):
                yield key, self._finish(embedding)
            return
        with_pixels = (((key, pixels), pixels) for key, pixels in photos)
        for (key, pixels), embedding in self.runtime.stream(with_pixels):
            yield key, self._finish(embedding, pixels)

    def stream_all(self, photos: Iterable[tuple[Key, Views]]) -> Iterator[tuple[Key, Embedding]]:
        """Embed many photos prepared for all networks (`prepare_all`), with the verifier, too."""
        if self.verifier is None:
            yield from self.stream((key, views[0]) for key, views in photos)
            return
        # Both networks advance at the same pace, so that `tee` holds hardly any photo.
        first_photos, second_photos = tee(photos)
        described = self.stream((key, views[0]) for key, views in first_photos)
        verified = self.verifier.stream((None, views[1]) for _, views in second_photos)
        for (key, embedding), (_, verifier_embedding) in zip(described, verified, strict=True):
            yield key, embedding.with_local_features_of(verifier_embedding)

    def _finish(self, embedding: Embedding, pixels: NDArray[np.uint8] | None = None) -> Embedding:
        """Add directions and black frame, and crop the descriptor; `pixels` give the frame."""
        embedding = embedding._replace(directions=self.directions)
        local = embedding.local_features
        if local is not None and pixels is not None:
            frame = black_frame(pixels, (local.shape[0], local.shape[1]))
            embedding = embedding._replace(black_frame=frame)
        if not self.card.cropped:
            if len(embedding.descriptor) != self.card.dims:
                raise ModelError(
                    f"The graph of '{self.card.id}' gives {len(embedding.descriptor)} numbers, not "
                    f"{self.card.dims} as its card says; fetch the model again."
                )
            return embedding
        cropped = embedding.descriptor[: self.card.dims]
        # As torch's normalize: a row of zeros stays zeros.
        return embedding._replace(descriptor=cropped / max(float(np.linalg.norm(cropped)), 1e-12))


def open_model(
    model: str | Path = DEFAULT_MODEL,
    *,
    runtime: Literal["openvino", "torch"] = "openvino",
    mode: Mode = "latency",
    threads: int | None = None,
    dims: int | None = None,
    precision: AskedPrecision = "f32",
    max_pixels: int = MAX_PIXELS,
    verify: bool = False,
    verify_with: str | Path | None = None,
) -> Model:
    """Open a model by id or folder, after checking its graph against the card's sha256.

    `mode` optimises the time of a photo or the rate of many photos; `threads` bounds the CPU
    threads (default: all). Descriptors of a whitened model are cropped to `dims` numbers and
    L2-normalised again. `precision` "auto" is decided by `choose_precision`; torch runs only in
    float32. Photos that would decode to more than `max_pixels` are refused. With `verify` a model
    without local features gets a second model for them: `verify_with`, else the model that its
    card names, else the included model.

    Raises:
        ModelError: unknown model, altered or missing graph, a runtime that is not installed, no
            thread, a precision that this model or runtime lacks, `dims` that the model cannot be
            cropped to, or a second model without local features.
    """
    if threads is not None and not (is_whole(threads) and threads >= 1):
        raise ModelError(f"A model runs on 1 or more threads, not on {threads!r:.40}.")
    folder = find_model(model)
    card = read_card(folder)
    if runtime == "torch":
        if precision == "int8":
            raise ModelError("The torch runtime has no int8; use --precision f32.")
        precision = "f32"
    instructions = int8_instructions() if precision == "auto" else None
    choice = choose_precision(card, precision, instructions=instructions)
    saturates = (choice.precision == "int8" or card.is_quantized) and int8_saturates()
    card = replace(card, precision=choice.precision, saturates=saturates)
    opened = card if dims is None else crop_card(card, dims)
    for file in (folder / name for name in card.opened_files):
        if not file.is_file() or sha256_of(file) != card.files.get(file.name):
            raise ModelError(f"{file} is missing or altered; fetch model '{card.id}' again.")
    opened_runtime = _open_runtime(runtime, folder, card, mode, threads)
    return Model(
        opened,
        opened_runtime,
        folder,
        reason=choice.reason,
        max_pixels=max_pixels,
        verifier=_open_verifier(opened, verify_with, mode, threads, precision) if verify else None,
        directions=read_directions(folder, card),
    )


def _open_verifier(
    card: ModelCard,
    verify_with: str | Path | None,
    mode: Mode,
    threads: int | None,
    precision: AskedPrecision,
) -> Model | None:
    """The second model whose local features verify a model's results; None for the model's own."""
    name = (
        verify_with or card.verify_with or (DEFAULT_MODEL if card.local_features is None else None)
    )
    if name is None:
        return None
    # The verifier may lack the graph of the first model's precision.
    precision = "auto" if precision == "int8" else precision
    folder = find_verifier(name)
    opened = open_model(folder, mode=mode, threads=threads, precision=precision)
    return None if opened.fingerprint == card.fingerprint else opened


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
