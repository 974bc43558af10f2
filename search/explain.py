"""What a model makes of one photo, in numbers that can be drawn."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netvlad.vocabulary import Vocabulary, read_vocabulary
from search.schemas import ExplainReply, GridReply, SizeReply

if TYPE_CHECKING:
    from netvlad import Model

DIGITS = 4


def explain(model: "Model", photo: bytes) -> ExplainReply:
    """Embed a photo, and say which cluster each cell belongs to.

    Raises:
        PhotoError: the photo is not one that can be read.
        VocabularyError: the model has no NetVLAD vocabulary.
    """
    vocabulary = _vocabulary(model.folder)
    decoded = model.read(photo)
    prepared = model.prepare(decoded)
    descriptor, cells = model.runtime.embed(prepared)
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
        photo=SizeReply(width=decoded.width, height=decoded.height),
        seen=SizeReply(width=prepared.shape[1], height=prepared.shape[0]),
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
