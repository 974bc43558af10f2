"""What a model makes of one photo, in numbers that can be drawn."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from place_search.models.netvlad_vocabulary import Vocabulary, read_vocabulary
from place_search.photos import Photo
from place_search.search.server.schemas import ExplainReply, GridReply, SizeReply
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.models import Model

DIGITS = 4


def explain(model: "Model", photo: Photo, stages: Stages | None = None) -> ExplainReply:
    """Embed a decoded photo, and say which cluster each cell belongs to.

    Raises:
        VocabularyError: the model has no NetVLAD vocabulary.
    """
    vocabulary = _vocabulary(model.folder)
    width, height = model.card.preprocessing.size(photo.width, photo.height)
    with (stages or Stages()).timed("embed"):
        embedding = model.embed(photo)
    descriptor, cells = embedding.descriptor, embedding.require_local_features()
    rows, columns, channels = cells.shape
    clusters = len(vocabulary.directions)
    # A whitened descriptor has no part a cluster; then none is said to add more than another.
    norms = (
        np.linalg.norm(descriptor.reshape(clusters, channels), axis=1)
        if descriptor.size == clusters * channels and not model.card.whitened
        else np.full(clusters, clusters**-0.5)
    )
    return ExplainReply(
        model=model.card.id,
        photo=SizeReply(width=photo.width, height=photo.height),
        seen=SizeReply(width=width, height=height),
        grid=GridReply(columns=columns, rows=rows),
        clusters=clusters,
        channels=channels,
        dims=descriptor.size,
        assignment=vocabulary.assign(cells).tolist(),
        cluster_norms=np.round(norms.astype(float), DIGITS).tolist(),
        descriptor=np.round(descriptor.astype(float), DIGITS).tolist(),
    )


@lru_cache(maxsize=2)
def _vocabulary(folder: Path | None) -> Vocabulary:
    return read_vocabulary(folder)
