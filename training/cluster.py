"""`place-search cluster`: from photos to an untrained NetVLAD model with a fitted vocabulary."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from place_search.core.files import sha256_of
from place_search.core.progress import Progress, silent, unheard
from place_search.models import Aggregation, ModelCard, weights_folder
from place_search.models.folder import write_model
from place_search.models.new_folder import require_free
from place_search.photos import Preprocessing
from place_search.photos.decoding import MAX_PIXELS
from place_search.training.data.open_places import open_places, require_paths
from place_search.training.pretrained import imagenet_network
from place_search.training.vocabulary import apply_vocabulary, fit_vocabulary, sample_local_features


def cluster(
    data: Path,
    out: Path,
    *,
    root: Path | None = None,
    backbone: str = "efficientnet-lite0",
    clusters: int = 64,
    version: Literal[1, 2] = 1,
    preprocessing: Preprocessing | None = None,
    backbone_weights: Path | None = None,
    max_pixels: int = MAX_PIXELS,
    about: str = "",
    seed: int = 1,
    progress: Progress = silent,
    print_message: Callable[[str], None] = unheard,
) -> ModelCard:
    """Fit a NetVLAD vocabulary on the photos of `data` and write a model folder at `out`.

    `data` is anything that `open_places` reads; of a split its database. A backbone that takes
    photos of only one size gets that size, whatever `preprocessing` is. The layer gets the
    initialisation of NetVLAD's `version`, with its sharpness alpha from the data. `about` describes
    the photos in the card. Photos that would decode to more than `max_pixels` are skipped;
    `print_message` gets a sentence on each folder that may not be read.

    Raises:
        TrainingError: too few photos, or a list that contradicts itself.
        ModelError: `out` exists, an unknown backbone, or the backbone's weights cannot be read.
        SourceError, TruthError: photos that cannot be listed.
    """
    require_free(out)
    require_paths(data, root=root)
    places = open_places(data, root=root)
    for sentence in places.left_out:
        print_message(sentence)
    photos = [places.path(row) for row in places.database.tolist()]
    resize = preprocessing or Preprocessing("area")
    cache = weights_folder() / ".backbones" / backbone
    network, start = imagenet_network(
        backbone, clusters, cache, backbone_weights, bias=version == 2
    )
    if network.photo_size is not None:
        height, width = network.photo_size
        resize = Preprocessing("exact", width, height)
        print_message(
            f"{backbone} takes photos of {width} × {height} pixels only, so they get that."
        )
    samples = list(
        sample_local_features(
            network, _with_progress(photos, progress), resize, seed=seed, max_pixels=max_pixels
        )
    )
    content = _content_hash([photo for photo, _ in samples])
    features = (local for _, local in samples)
    vocabulary = fit_vocabulary(features, clusters, version=version, seed=seed)
    apply_vocabulary(network, vocabulary)
    fitting: dict[str, Any] = {
        "what": f"vocabulary by k-means, NetVLAD v{version} initialisation",
        "photos": vocabulary.photos,
        "photos_skipped": len(photos) - vocabulary.photos,
        "photos_sha256": content,
        "cells": vocabulary.samples,
        "separation": vocabulary.separation,
        "seed": seed,
    }
    if about:
        fitting["about"] = about
    card = ModelCard(
        id=out.name,
        title=f"{backbone} + NetVLAD, {clusters} clusters",
        family="place-search",
        backbone=backbone,
        aggregation=Aggregation(network.pool.name, network.pool.parameters_of_card),
        local_features=network.local_features,
        dims=network.pool.dims,
        licence=start.licence,
        preprocessing=resize,
        files={},
        sources=(start,),
        fitting=fitting,
    )
    return write_model(network, card, out)


def _with_progress(photos: Sequence[Path], progress: Progress) -> Iterator[Path]:
    for count, photo in enumerate(photos, start=1):
        yield photo
        progress("Sampling local features", count, len(photos))


def _content_hash(photos: Sequence[Path]) -> str:
    """A hash of the photos' contents, independent of their names and order."""
    digests = "".join(sorted(sha256_of(photo) for photo in photos))
    return hashlib.sha256(digests.encode()).hexdigest()
