"""`place-search train`: a model and photos of places in, the trained model out."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import torch

from place_search.core.errors import shell_command
from place_search.core.memory import keep_large_blocks
from place_search.core.progress import Progress, silent, unheard
from place_search.core.rows import spread_rows
from place_search.models import ModelCard, find_model, read_card
from place_search.models.aggregations.netvlad import netvlad_of
from place_search.models.card import CARD_NAME
from place_search.models.folder import write_model
from place_search.models.network import Network, load_network
from place_search.models.new_folder import require_free
from place_search.photos import PhotoError, decode_photo
from place_search.training.config import TrainingConfig
from place_search.training.data.open_places import (
    Part,
    TrainingData,
    open_places,
    require_paths,
    require_rules,
)
from place_search.training.data.places import (
    Places,
    as_evaluated,
    hold_out,
    keep,
    of_known_places,
    require_places,
    with_views,
)
from place_search.training.errors import TrainingError
from place_search.training.loop.checkpoint import plain_errors
from place_search.training.loop.run_folder import (
    begin_run,
    data_stamp,
    find_run,
    folder_of,
    replace_model,
    require_no_run,
)
from place_search.training.loop.trained_card import (
    trained_card,
    training_record,
    validation_recall,
)
from place_search.training.loop.trainer import Trainer
from place_search.training.process_group import ProcessGroup, join_processes
from place_search.training.split_network import split_network
from place_search.training.vocabulary import sample_local_features

SAVE_SECONDS = 60.0
VIEWS_ALONE = 8
"""The number of views of each photo if photos have no labels."""
MEAN_PHOTOS = 256


def train(
    data: TrainingData,
    out: Path,
    *,
    config: TrainingConfig,
    model: str | Path | None = None,
    resume: bool = False,
    about: str = "",
    save_seconds: float = SAVE_SECONDS,
    progress: Progress = silent,
    print_message: Callable[[str], None] = unheard,
) -> ModelCard:
    """Train a model on places and write it as the model folder `out`.

    It starts from `model`, or else from the clustered model at `out`, which it replaces at the end.
    The checkpoint, the curve and the caches are in `OUT.run`. With `resume` a stopped run
    continues, and ends with the same weights. `print_message` gets a sentence where queries for
    validation are trained on.

    Raises:
        TrainingError: photos without positives or negatives, no clustered model, settings that
            contradict those of the run, a loss that is not finite, a photo that has disappeared, a
            full disk, a checkpoint of another network, another model at `out` by now.
        IndexBusyError: another process trains this model.
        ModelError: an unknown model, one without weights, or `out` is a model already.
        PlaceSearchError: photos that cannot be listed.
    """
    keep_large_blocks()
    processes = join_processes()
    progress = progress if processes.is_main else silent
    torch.manual_seed(config.seed)
    require_paths(data.photos, data.validation, root=data.root, queries_dir=data.queries_dir)
    tell = print_message if processes.is_main else unheard
    with _deterministic(processes):
        places = _open(data.photos, "train", data)
        if places.unlabelled and not config.views:
            config = replace(config, views=VIEWS_ALONE)
            tell(
                f"Nothing is known of the photos of {data.photos} but themselves, so {VIEWS_ALONE} "
                "views are drawn of each."
            )
        evaluated = as_evaluated(places)  # the same photos, for validation
        if config.views:
            places, evaluated = with_views(places), with_views(evaluated)
        require_places(places, str(data.photos))
        validation_places = _validation(data, config)
        stamp = data_stamp(places, validation_places)
        recipe = {**asdict(config), **asdict(data.rules)}
        run = find_run(out, recipe, model, stamp) if resume else None
        if not resume:
            require_rules(data.rules, places, validation_places)
            require_no_run(out)
        start = _start(out, model) if run is None else run.start
        card = read_card(start)
        network = load_network(start, card).to(processes.device)
        network.whitening = None  # the whitening was fitted to other descriptors
        if (size := only_size(network)) and size.items() - asdict(config).items():
            tell("Photos are cut to {width} × {height}, all that the model takes.".format(**size))
        config = replace(config, **size)
        split = split_network(network, config.train_last)
        skipped = (
            [
                [] if part is None else _unreadable(part, progress)
                for part in (evaluated, validation_places)
            ]
            if run is None
            else run.skipped
        )
        places = _without_skipped(places, skipped[0])
        trained_on = 0
        if validation_places is None:
            places, _ = hold_out(places, config.validation)
            _, validation = hold_out(_without_skipped(evaluated, skipped[0]), config.validation)
            require_places(places, f"{data.photos}, less those held out,")
            require_places(validation, f"{data.photos} that are held out")
        else:
            validation = _without_skipped(validation_places, skipped[1])
            trained_on = _queries_trained_on(places, validation)
            if trained_on:
                tell(
                    f"{trained_on} of the {len(validation.queries)} queries of {data.validation} "
                    "are trained on too, so that their recall says little of other photos; give "
                    "--val photos of other places."
                )
        # All processes must look for a run before one of them begins it.
        processes.wait_for_all()
        if run is None:
            run = begin_run(out, start, recipe, stamp, skipped, processes)
        with run.locked(out) if processes.is_main else nullcontext():
            with plain_errors(run.path):
                trainer = Trainer(
                    *(run, network, split, config, places, validation, processes, progress),
                    save_seconds,
                )
                trainer.go()
            trainer.load_best()
            network = network.cpu().eval()
            if config.train_last:
                set_mean(network, card, places)
            record = training_record(card, config, run, places, trainer.state, about)
            recall = validation_recall(data.validation, record, trained_on)
            new_card = trained_card(card, out.name, netvlad_of(network), record, recall)
            if processes.is_main:
                new = folder_of(out) / "model"
                rmtree(new, ignore_errors=True)  # of a run that was killed just before its end
                with plain_errors(run.path):
                    new_card = write_model(network, new_card, new)
                    replace_model(new, out, run)
                    run.close()
        processes.wait_for_all()
        processes.leave()
        return new_card


@contextmanager
def _deterministic(processes: ProcessGroup) -> Iterator[None]:
    """A context in which runs on CPUs are deterministic."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(processes.device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _open(photos: Path, part: Part, data: TrainingData) -> Places:
    places = open_places(
        photos, root=data.root, queries_dir=data.queries_dir, rules=data.rules, part=part
    )
    return of_known_places(places)


def _validation(data: TrainingData, config: TrainingConfig) -> Places | None:
    if data.validation is None:
        return None
    places = as_evaluated(_open(data.validation, "val", data))
    if places.unlabelled:
        if not config.views:
            raise TrainingError(
                f"Nothing is known of the photos of {data.validation} but themselves, so they can "
                "only be validated on with --views 8 or so."
            )
        places = with_views(places)
    require_places(places, str(data.validation))
    return places


def only_size(network: Network) -> dict[str, Any]:
    """The settings `width` and `height` of a network of one size, as DINOv2's, else none."""
    if network.photo_size is None:
        return {}
    height, width = network.photo_size
    return {"width": width, "height": height}


def _queries_trained_on(places: Places, validation: Places) -> int:
    """The number of queries for validation whose files are those of photos to train on."""
    trained_on = {os.path.realpath(places.path(row)) for row in places.used_rows.tolist()}
    queries = validation.queries.tolist()
    return sum(os.path.realpath(validation.path(row)) in trained_on for row in queries)


def _start(out: Path, model: str | Path | None) -> Path:
    """The model to start from: `model` if given, else the clustered model at `out`."""
    if model is not None:
        require_free(out)
        read_card(start := find_model(model)).require_weights()
        return start
    if not (out / CARD_NAME).is_file():
        raise TrainingError(
            f"There is no model {out} to train: fit its vocabulary first with "
            f"{shell_command('cluster', 'PHOTOS', '--out', out)}, or name another to start from "
            "with --model."
        )
    if "training" in read_card(out).fitting:
        require_free(out)
    return out


def _unreadable(places: Places, progress: Progress) -> list[int]:
    """Rows of photos that cannot be read, each decoded once."""
    rows = places.used_rows.tolist()
    unreadable = []
    with ThreadPoolExecutor(2) as pool:
        readable = pool.map(_is_readable, map(places.path, rows))
        for count, (row, is_readable) in enumerate(zip(rows, readable, strict=True), 1):
            if not is_readable:
                unreadable.append(row)
            progress("Checking photos", count, len(rows))
    return unreadable


def _is_readable(path: Path) -> bool:
    try:
        decode_photo(path, target_size=lambda width, height: (64, 64))
    except PhotoError:
        return False
    return True


def _without_skipped(places: Places, skipped: Sequence[int]) -> Places:
    is_kept = np.ones(len(places.photos), dtype=np.bool_)
    is_kept[list(skipped)] = False
    return keep(places, is_kept)


def set_mean(network: Network, card: ModelCard, places: Places) -> None:
    """Centre the local features of the trained network on the mean of its training photos."""
    rows = places.database[spread_rows(len(places.database), MEAN_PHOTOS)]
    photos = [places.path(row) for row in rows.tolist()]
    samples = sample_local_features(network, photos, card.preprocessing)
    mean = np.mean([local.mean(axis=0) for _, local in samples], axis=0)
    network.cell_mean.copy_(torch.from_numpy(mean))
