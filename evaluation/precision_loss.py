"""A model's loss in int8: its Recall@1 in both precisions, with and without verification."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from place_search.core.progress import Progress, renamed, silent
from place_search.evaluation.evaluate import evaluate
from place_search.evaluation.truth.ground_truth import GroundTruth
from place_search.evaluation.verified_ranking import GeometryReranker
from place_search.models import Embedding, Model, Precision, PrecisionRecall, open_model
from place_search.models.runtimes.base import Key, Runtime

Pixels = NDArray[np.uint8]


class _CachingRuntime:
    """A runtime that embeds each photo once and keeps the result in a folder.

    Several evaluations of one model embed the same photos.
    """

    name = "remembering"

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self._folder = folder

    def embed(self, pixels: Pixels) -> Embedding:
        # Plain photos of two shapes may have the same bytes.
        digest = blake2b(str(pixels.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(pixels).data)
        path = self._folder / f"{digest.hexdigest()}.npz"
        if path.exists():
            with np.load(path) as saved:
                return Embedding(**saved)._replace(zoom=float(saved["zoom"]))
        embedding = self._runtime.embed(pixels)
        fields = embedding._asdict().items()
        np.savez(path, **{name: value for name, value in fields if value is not None})
        return embedding

    def stream(self, photos: Iterable[tuple[Key, Pixels]]) -> Iterator[tuple[Key, Embedding]]:
        for key, pixels in photos:
            yield key, self.embed(pixels)


def measure_loss(
    folder: Path,
    truths: Sequence[GroundTruth],
    *,
    verify: bool = True,
    progress: Progress = silent,
) -> list[PrecisionRecall]:
    """Recall@1 of a model folder in float32 and in int8 on each truth, with and without geometry.

    Embeddings are kept in a temporary folder meanwhile: some 0.5 MB a photo and precision for the
    default model, 2.5 MB for VGG-16.

    Raises:
        ModelError: the model has no int8 graph.
        TruthError: a truth that cannot be evaluated.
    """
    measured: dict[Precision, list[tuple[str, bool, float]]] = {"f32": [], "int8": []}
    for precision, rows in measured.items():
        opened = open_model(folder, precision=precision, verify=verify)
        with tempfile.TemporaryDirectory() as scratch:
            model = _with_cache(opened, Path(scratch), "descriptors")
            if opened.verifier is not None:
                verifier = _with_cache(opened.verifier, Path(scratch), "verifier")
                model = model.with_verifier(verifier)
            for truth in truths:
                stage = f"{truth.name}, {precision}"
                report = evaluate(
                    truth,
                    model,
                    ks=(1,),
                    reranker=GeometryReranker(model, truth.root) if verify else None,
                    progress=renamed(progress, stage),
                )
                plain = report.recall if report.unverified is None else report.unverified
                rows.append((truth.name, False, plain[1]))
                if report.unverified is not None:
                    rows.append((truth.name, True, report.recall[1]))
    return [
        PrecisionRecall(name, verified, round(exact, 2), round(quick, 2))
        for (name, verified, exact), (*_, quick) in zip(
            measured["f32"], measured["int8"], strict=True
        )
    ]


def _with_cache(opened: Model, scratch: Path, name: str) -> Model:
    """A copy of a model that keeps its embeddings in the folder `name` of `scratch`."""
    (scratch / name).mkdir()
    model = copy(opened)
    model.runtime = _CachingRuntime(opened.runtime, scratch / name)
    return model
