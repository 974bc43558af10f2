"""`place-search train`: a model and photos of places in, the trained model out."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import torch

from place_search.models import ModelCard, Recall, find_model, read_card
from place_search.models.aggregations.netvlad import NetVLAD, netvlad_of
from place_search.models.card import CARD_NAME
from place_search.models.folder import require_free, write_model
from place_search.models.network import Network, load_network
from place_search.photos import PhotoError, decode_photo
from place_search.training.config import TrainingConfig
from place_search.training.data.places import Places, hold_out, keep, require_places, with_views
from place_search.training.data.sources import Range, open_places
from place_search.training.errors import TrainingError
from place_search.training.loop.memory import keep_large_blocks
from place_search.training.loop.passes import Advance
from place_search.training.loop.process_group import ProcessGroup, join_team
from place_search.training.loop.run_folder import (
    RunFolder,
    begin_run,
    data_stamp,
    find_run,
    folder_of,
    replace_model,
    require_no_run,
)
from place_search.training.loop.trainer import Trainer
from place_search.training.vocabulary import sample_cells

SAVE_SECONDS = 60.0
VIEWS_ALONE = 8
"""Views of each photo where nothing else can be learnt from."""
MEAN_PHOTOS = 256


@dataclass(frozen=True, slots=True)
class Data:
    """Where the photos are: `validation` are others to validate on, by default a share is held out.

    `root` and `queries_dir` are those of a split, as `open_places` takes them; the validation's
    photos are under the same root.
    """

    photos: Path
    validation: Path | None = None
    root: Path | None = None
    queries_dir: str | None = None
    rules: Range = field(default_factory=Range)


def train(
    data: Data,
    out: Path,
    *,
    recipe: TrainingConfig,
    model: str | Path | None = None,
    resume: bool = False,
    about: str = "",
    save_seconds: float = SAVE_SECONDS,
    progress: Advance | None = None,
) -> ModelCard:
    """Train a model on places and write it as the model folder `out`.

    It starts from `model`, or else from the clustered model that `out` is, which it replaces at
    the end. Everything on the way is in `OUT.run`: the checkpoint, the curve, the caches. With
    `resume` a run that was stopped goes on, and comes to the same weights.

    Raises:
        TrainingError: photos that nothing can be learnt from, no clustered model, settings that
            contradict those of the run, a loss that is no number, a photo that is gone, a full
            disk, a checkpoint of another network.
        ModelError: an unknown model, or `out` is a model already.
        PlaceSearchError: photos that cannot be listed.
    """
    keep_large_blocks()
    team = join_team()
    told = progress if progress is not None and team.leads else _tell_nobody
    torch.manual_seed(recipe.seed)
    with _deterministic(team):
        return _train(data, out, recipe, model, resume, about, save_seconds, told, team)


def _tell_nobody(stage: str, done: int, total: int) -> None:
    """Progress that nobody asked for."""


def _train(
    data: Data,
    out: Path,
    recipe: TrainingConfig,
    model: str | Path | None,
    resume: bool,
    about: str,
    save_seconds: float,
    progress: Advance,
    team: ProcessGroup,
) -> ModelCard:
    places = open_places(
        data.photos, root=data.root, queries_dir=data.queries_dir, rules=data.rules
    )
    if places.alone and not recipe.views:
        recipe = replace(recipe, views=VIEWS_ALONE)
    if recipe.views:
        places = with_views(places)
    require_places(places, str(data.photos))
    given = _validation(data, recipe)
    stamp = data_stamp(places, given)
    run = find_run(out, recipe, stamp) if resume else None
    if run is None:
        if not resume:
            require_no_run(out)
        start = _start(out, model)
        skipped = [[] if part is None else _unreadable(part, progress) for part in (places, given)]
        run = begin_run(out, start, recipe, stamp, skipped, team)
    places = _without(places, run.skipped[0])
    if given is None:
        places, validation = hold_out(places, recipe.validation)
        require_places(places, f"{data.photos}, less those held out,")
        require_places(validation, f"{data.photos} that are held out")
    else:
        validation = _without(given, run.skipped[1])
    card = read_card(run.start)
    network = load_network(run.start, card)
    network.whitening = None  # it was fitted to other descriptors
    trainer = Trainer(run, network, recipe, places, validation, team, progress, save_seconds)
    trainer.go()
    trainer.load_best()
    network = network.cpu().eval()
    if recipe.train_last:
        _set_mean(network, card, places)
    written = _card(card, out, recipe, data, about, run, places, trainer, netvlad_of(network))
    if team.leads:
        new = folder_of(out) / "model"
        rmtree(new, ignore_errors=True)  # of a run that was killed just before its end
        written = write_model(network, written, new)
        replace_model(new, out)
        run.close()
    team.wait()
    team.leave()
    return written


@contextmanager
def _deterministic(team: ProcessGroup) -> Iterator[None]:
    """On CPUs the same run gives the same numbers."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(team.device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _validation(data: Data, recipe: TrainingConfig) -> Places | None:
    if data.validation is None:
        return None
    rules = replace(data.rules, positive_m=data.rules.negative_m)  # right is what eval calls right
    found = open_places(data.validation, root=data.root, queries_dir=data.queries_dir, rules=rules)
    if found.alone:
        if not recipe.views:
            raise TrainingError(
                f"Nothing is known of the photos of {data.validation} but themselves, so they can "
                "only be validated on with --views 8 or so."
            )
        found = with_views(found)
    require_places(found, str(data.validation))
    return found


def _start(out: Path, model: str | Path | None) -> Path:
    """The model to start from: the one that is named, or the clustered one that `out` is."""
    if model is not None:
        require_free(out)
        return find_model(model)
    if not (out / CARD_NAME).is_file():
        raise TrainingError(
            f"There is no model {out} to train: fit its vocabulary first with `place-search "
            f"cluster PHOTOS --out {out}`, or name another to start from with --model."
        )
    if "training" in read_card(out).fitting:
        require_free(out)
    return out


def _unreadable(places: Places, progress: Advance) -> list[int]:
    """Rows of photos that cannot be read, each decoded once."""

    def reads(row: int) -> bool:
        try:
            decode_photo(places.path(row), needed=lambda width, height: (64, 64))
        except PhotoError:
            return False
        return True

    rows = places.used.tolist()
    lost = []
    with ThreadPoolExecutor(2) as pool:
        for done, (row, fine) in enumerate(zip(rows, pool.map(reads, rows), strict=True), 1):
            if not fine:
                lost.append(row)
            progress("Checking photos", done, len(rows))
    return lost


def _without(places: Places, skipped: Sequence[int]) -> Places:
    kept = np.ones(len(places.photos), dtype=np.bool_)
    kept[list(skipped)] = False
    return keep(places, kept)


def _set_mean(network: Network, card: ModelCard, places: Places) -> None:
    """Centre the cells of the trained network on those of the photos it was trained on."""
    rows = places.database
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEAN_PHOTOS)).astype(np.int64)]
    photos = [places.path(row) for row in rows.tolist()]
    samples = sample_cells(network, photos, card.preprocessing, skipped=lambda path, error: None)
    mean = np.mean([cells.mean(axis=0) for cells in samples], axis=0)
    network.cell_mean.copy_(torch.from_numpy(mean))


def _card(
    card: ModelCard,
    out: Path,
    recipe: TrainingConfig,
    data: Data,
    about: str,
    run: RunFolder,
    places: Places,
    trainer: Trainer,
    pool: NetVLAD,
) -> ModelCard:
    at = trainer.progress
    training: dict[str, Any] = {
        "from": card.id,
        "from_fingerprint": card.fingerprint,
        "data": places.kind,
        "about": about,
        "photos": len(places.used),
        "queries": len(places.queries),
        "photos_skipped": len(run.skipped[0]),
        "photos_sha256": run.about["data"],
        "epochs": at.epoch,
        "best_epoch": at.best_epoch,
        "steps": at.step,
        "seconds": round(at.seconds),
        "waiting_for_photos_seconds": round(at.waited, 1),
        "revision": _revision(),
        "recall_before": {n: round(share, 1) for n, share in at.first.items()},
        "recall_after": {n: round(share, 1) for n, share in at.best.items()},
        "settings": asdict(recipe),
    }
    what = str(card.fitting.get("what", "")).replace(
        "; not trained on places", "; then trained on places"
    )
    held = "held-out photos" if data.validation is None else data.validation.stem
    return replace(
        card,
        id=out.name,
        title=f"{card.backbone} + NetVLAD, {len(pool.centroids)} clusters, trained on places",
        dims=pool.dims,
        whitened=False,
        files={},
        recall=(
            Recall(
                held,
                "measured",
                training["recall_after"],
                f"before training {training['recall_before']['1']}, at "
                f"{recipe.width} × {recipe.height}",
            ),
        ),
        fitting={**card.fitting, **({"what": what} if what else {}), "training": training},
    )


def _revision() -> str:
    """The program's git revision where it runs from its repository, else its version."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return found.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        return version("place-search")
    except PackageNotFoundError:
        return "unknown"
