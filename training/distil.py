"""`place-search distil`: a model learns to give altered views the features of the photo itself.

The initial model is the teacher (Hinton et al., 2015). Views from the same standpoint in other
light shall have the local features that the teacher gives the unaltered photo; views from other
standpoints shall have its descriptor. In addition, views of one place shall be more alike than
views of two (multi-similarity), compared through a whitening.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.core.files import scratch_folder
from place_search.core.progress import Progress, silent
from place_search.models import UNWHITENED_MODEL, ModelCard, find_model, read_card
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.folder import write_model
from place_search.models.network import Network, load_network
from place_search.models.new_folder import require_free
from place_search.photos.decoding import MAX_PIXELS
from place_search.training.data.label_lists import read_labels
from place_search.training.data.places import Places, require_negatives
from place_search.training.data.view_pool import STILL, ViewPool, batches_of_parts, draw_view_pool
from place_search.training.data.viewed_photos import read_viewed_photos
from place_search.training.errors import TrainingError
from place_search.training.loop.losses import multi_similarity
from place_search.training.loop.optimizer import warm_cosine
from place_search.training.loop.train import only_size, set_mean
from place_search.training.process_group import join_processes
from place_search.training.view_whitening import fit_view_whitening

COMPARED = 6
"""The number of views of each part that the initial whitening is fitted on."""
BASE = 0.2
"""The similarity over which other places are pushed away."""
_WINDOW = 1
"""The largest distance, in frames, of frames of a video that show one place."""


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """All settings that decide what a run computes.

    Views are cut to `width` × `height`; `moved` views are drawn of each part from other
    standpoints. A step takes `places` parts of photos, of each the unaltered view, one in other
    light, and `views` moved ones. `local`, `descriptor` and `relations` are the weights of the
    losses that keep local features, descriptors, and the similarities of different places at the
    teacher's. The whitening for comparisons has `dims` dimensions.
    """

    width: int = 320
    height: int = 224
    moved: int = 8
    places: int = 40
    views: int = 4
    steps: int = 800
    learning_rate: float = 6e-4
    assignment_rate: float = 30.0
    centroid_rate: float = 3.0
    local: float = 1.0
    descriptor: float = 1.0
    relations: float = 1.0
    dims: int = 1024
    seed: int = 1


class NetworkOutput(NamedTuple):
    """A network's output for N photos: whitened descriptors (N, d) of norm 1, and local features
    (N, C, h, w) of norm 1.
    """

    descriptors: Tensor
    local: Tensor


def distil(
    data: Path,
    out: Path,
    *,
    root: Path | None = None,
    model: str | Path | None = None,
    config: DistillationConfig | None = None,
    about: str = "",
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
) -> ModelCard:
    """Train the whole network on views of the photos of a CSV, and write it as `out`.

    `data` has the columns `image`, and `place`, or `video` and `frame`, as `train` takes them, and
    optionally `crops`, the number of parts of each photo. The new model has no whitening: fit one.

    Raises:
        TrainingError: a list that contradicts itself, too few photos or all of one place, a loss
            that is not finite.
        ModelError: an unknown model, one without weights or NetVLAD, or `out` exists.
        PhotoError: a photo cannot be read.
        OSError: the disk is full.
    """
    config = config or DistillationConfig()
    require_free(out)
    device = join_processes().device
    torch.manual_seed(config.seed)
    root = root or data.parent
    photos, places = read_viewed_photos(data, root), read_labels(data, root, _WINDOW)
    require_negatives(places, places.database, str(data))
    folder = find_model(model or UNWHITENED_MODEL)
    card = read_card(folder)
    start, network = load_network(folder, card), load_network(folder, card)
    network.whitening = start.whitening = None  # whitenings were fitted to other descriptors
    netvlad_of(network)  # raises for a model without NetVLAD
    config = replace(config, **only_size(network))
    for part in (start, network):
        part.backbone.to(memory_format=torch.channels_last)  # nearly twice as fast
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.parent, out.name) as scratch:
        pool = draw_view_pool(
            photos,
            card.preprocessing,
            (config.width, config.height),
            config.moved,
            scratch / "views.npy",
            seed=config.seed,
            max_pixels=max_pixels,
            progress=progress,
        )
        lesson = Distillation(start.to(device), network.to(device), pool, config, progress)
        lesson.run(places)
    network = network.cpu().eval()
    set_mean(network, card, places)
    training = {
        "from": card.id,
        "from_fingerprint": card.fingerprint,
        "what": "views of photos, taught by the model itself",
        "about": about,
        "photos": len(photos),
        "parts": len(pool.rows),
        "steps": config.steps,
        "settings": asdict(config),
    }
    plain = card.unwhitened()
    trained_card = replace(
        plain,
        id=out.name,
        title=f"{card.backbone} + {network.pool.in_words}, taught by views",
        dims=network.pool.dims,
        files={},
        recall=(),
        fitting={**plain.fitting, "distillation": training},
    )
    return write_model(network, trained_card, out)


class Distillation:
    """A run of distillation, which trains `student`; `teacher` does not change."""

    def __init__(
        self,
        teacher: Network,
        student: Network,
        pool: ViewPool,
        config: DistillationConfig,
        progress: Progress,
    ) -> None:
        self._teacher, self._student = teacher.eval(), student.eval()
        self._pool, self._config, self._progress = pool, config, progress
        self._device = student.pixel_mean.device
        self._matrix, self._offset = self._whitening()

    def run(self, places: Places) -> list[float]:
        """Train on photos of at least two places; returns the loss of each step.

        Raises:
            TrainingError: a loss that is not finite.
        """
        config = self._config
        random = np.random.default_rng(config.seed)
        batches = batches_of_parts(self._pool, places, config.places, random)
        optimizer, rates = self._optimizer()
        losses = []
        for step in range(config.steps):
            share = warm_cosine(step / config.steps, step)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
            loss = self._loss(self._items(next(batches), places, random))
            if not math.isfinite(value := float(loss.detach())):
                raise TrainingError(
                    f"The loss of step {step + 1} is {value}; start again with a lower "
                    f"--learning-rate than {config.learning_rate:g}."
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._student.backbone.parameters(), 1.0)
            optimizer.step()
            losses.append(value)
            self._progress("Training", step + 1, config.steps)
        return losses

    def _optimizer(self) -> tuple[torch.optim.Optimizer, Sequence[float]]:
        config, pool = self._config, netvlad_of(self._student)
        shares: list[tuple[list[nn.Parameter], float]] = [
            (list(self._student.backbone.parameters()), 1.0),
            (list(pool.assignment.parameters()), config.assignment_rate),
            ([pool.centroids], config.centroid_rate),
        ]
        groups: list[dict[str, Any]] = [{"params": part} for part, _ in shares]
        rates = [config.learning_rate * share for _, share in shares]
        return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=1e-4), rates

    def _items(
        self, parts: Sequence[int], places: Places, random: np.random.Generator
    ) -> list[list[tuple[int, int]]]:
        """(part, view) of each place's photos: unaltered, in other light, and moved ones.

        The last view is of another photo of the place, if the place has any.
        """
        groups = []
        for part in parts:
            moved = 1 + STILL + random.permutation(self._config.moved)[: self._config.views]
            items = [(part, 0), (part, 1 + int(random.integers(STILL)))]
            items += [(part, int(view)) for view in moved]
            positives = places.positives[int(self._pool.rows[part])]
            if len(positives):
                positive_part = np.searchsorted(self._pool.rows, random.choice(positives))
                items[-1] = int(positive_part), items[-1][1]
            groups.append(items)
        return groups

    def _loss(self, items: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
        config, group_size = self._config, len(items[0])
        flat = np.array([item for place in items for item in place])
        photos = torch.from_numpy(self._pool.views[flat[:, 0], flat[:, 1]]).to(self._device)
        student = self._run_network(self._student, photos)
        with torch.no_grad():
            teacher = self._run_network(self._teacher, photos[::group_size])
        numbers = torch.arange(len(items), device=self._device).repeat_interleave(group_size)
        loss = multi_similarity(student.descriptors, numbers, base=BASE)
        for view in (0, 1):
            cosines = (student.local[view::group_size] * teacher.local).sum(dim=1)
            loss = loss + config.local * (1 - cosines).mean()
        targets = teacher.descriptors.repeat_interleave(group_size, dim=0)
        descriptor_loss = 1 - (student.descriptors * targets).sum(dim=1).mean()
        student_descriptors, teacher_descriptors = (
            student.descriptors[::group_size],
            teacher.descriptors,
        )
        relation_loss = (
            student_descriptors @ student_descriptors.T
            - teacher_descriptors @ teacher_descriptors.T
        ).square().mean() * len(items)
        return (
            loss
            + config.descriptor * group_size / 2 * descriptor_loss
            + config.relations * relation_loss
        )

    def _run_network(self, network: Network, photos: Tensor) -> NetworkOutput:
        use_bfloat16 = self._device.type == "cuda"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=use_bfloat16):
            local = network.extract(photos).float()
        whitened = functional.linear(network.pool(local), self._matrix, self._offset)
        return NetworkOutput(functional.normalize(whitened, dim=1), local)

    def _whitening(self) -> tuple[Tensor, Tensor]:
        """The matrix (d, D) and the offset (d,) through which descriptors are compared."""
        views = [0, 2, *range(1 + STILL, 1 + STILL + self._config.moved)][:COMPARED]
        descriptors = []
        with torch.no_grad():
            for start in range(0, len(self._pool.rows), 8):
                photos = torch.from_numpy(self._pool.views[start : start + 8][:, views])
                local = self._teacher.extract(photos.flatten(0, 1).to(self._device)).float()
                descriptors.append(self._teacher.pool(local).half().cpu().numpy())
                self._progress("Describing", start, len(self._pool.rows))
        described = np.concatenate(descriptors).reshape(len(self._pool.rows), len(views), -1)
        fit = fit_view_whitening(described, self._config.dims)
        matrix, offset = torch.from_numpy(fit.matrix), torch.from_numpy(fit.offset)
        return matrix.to(self._device), offset.to(self._device)
