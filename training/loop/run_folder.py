"""A run's folder, `MODEL.run` beside the model: the run's settings and its state."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from place_search.core.files import (
    require_own_folder,
    scratch_folder,
    size_of,
    telling_unwritable,
    write_whole,
)
from place_search.core.text import parse_json
from place_search.indexer.storage.lock import LOCK_NAME, lock
from place_search.models import find_model, read_card
from place_search.models.card import CARD_NAME, WEIGHTS_NAME
from place_search.training.config import differences
from place_search.training.data.places import Places
from place_search.training.errors import TrainingError
from place_search.training.loop.checkpoint import CHECKPOINT, plain_errors
from place_search.training.process_group import ProcessGroup

START = "start"
"""The model that a run starts from; an unfinished run has this folder."""
ENDED = "ended"
MINED = "mined.json"
RECORD = "run.json"
STAMP_DIGITS = 32
"""The hexadecimal digits of each part of a stamp of photos; older versions wrote only one."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run, and the `record` of its settings and data."""

    path: Path
    record: Mapping[str, Any]

    @property
    def start(self) -> Path:
        """The copy of the model that the run started from."""
        return self.path / START

    @property
    def skipped(self) -> Sequence[Sequence[int]]:
        """Rows of photos that could not be read when the run began: of training, of validation."""
        rows: list[list[int]] = self.record["skipped"]
        return rows

    @contextmanager
    def locked(self, out: Path) -> Iterator[None]:
        """Lock the run, which another process may have finished since it was looked up.

        Raises:
            IndexBusyError: another process trains it.
            TrainingError: it is finished, or its folder may not be written.
        """
        with ExitStack() as stack:
            with plain_errors(self.path):
                stack.enter_context(lock(self.path))
            require_unfinished(out)
            yield

    def close(self) -> None:
        """Remove the files that only an unfinished run needs.

        The mark of an unfinished run goes first and at once: a run that is killed meanwhile is
        finished, so it is not trained again from its start.
        """
        self.start.rename(self.path / ENDED)
        for name in (CHECKPOINT, MINED, LOCK_NAME):
            (self.path / name).unlink(missing_ok=True)
        for name in ("features", "mining", ENDED):
            shutil.rmtree(self.path / name, ignore_errors=True)


def folder_of(out: Path) -> Path:
    """The folder of the run that makes the model `out`."""
    return out.with_name(f"{out.name}.run")


def begin_run(
    out: Path,
    start: Path,
    recipe: Mapping[str, Any],
    data: str,
    skipped: Sequence[Sequence[int]],
    processes: ProcessGroup,
) -> RunFolder:
    """Make the folder of a new run, with a copy of the model that it starts from.

    The folder appears whole, instead of that of a finished run.
    """
    path = folder_of(out)
    record = {
        "recipe": recipe,
        "data": data,
        "model": read_card(start).id,
        "skipped": list(skipped),
    }
    if processes.is_main:
        with telling_unwritable(path, TrainingError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch_folder(path.parent, path.name) as scratch:
                new = scratch / path.name
                (new / START).mkdir(parents=True)
                for name in (CARD_NAME, WEIGHTS_NAME):
                    shutil.copyfile(start / name, new / START / name)
                write_whole(new / RECORD, json.dumps(record, indent=1).encode())
                _put(new, out)
    processes.wait_for_all()
    return RunFolder(path, record)


def _put(new: Path, out: Path) -> None:
    """Rename the folder of a new run to that of `out`, in place of a finished run's.

    Another run may begin at any moment, and is left alone: a rename replaces no folder with files.
    """
    path = folder_of(out)
    require_no_run(out)
    try:
        new.rename(path)
    except OSError:
        if not path.is_dir():
            raise
        with lock(path):
            require_no_run(out)
            path.rename(new.with_name(ENDED))
            _put(new, out)


def require_no_run(out: Path) -> None:
    """Make sure that no run of this name is unfinished.

    Raises:
        TrainingError: there is an unfinished run, or the folder has other files.
    """
    path = folder_of(out)
    require_own_folder(path, RECORD, "recipe", TrainingError)
    if (path / START).is_dir():
        raise TrainingError(
            f"{path} holds a run already: go on with it by --resume, delete that folder, or choose "
            "another --out."
        )


def find_run(
    out: Path, recipe: Mapping[str, Any], model: str | Path | None, data: str
) -> RunFolder | None:
    """The run to resume; None if it was killed before it had a folder.

    Raises:
        TrainingError: it is finished, or began with other settings, another model or other photos;
            the folder has other files, or `out` is another model.
        ModelError: an unknown model.
    """
    path = folder_of(out)
    if not (path / RECORD).is_file():
        require_own_folder(path, RECORD, "recipe", TrainingError)
        return None
    require_unfinished(out)
    try:
        record = parse_json((path / RECORD).read_text("utf-8"))
        settings, photos, _ = record["recipe"], str(record["data"]), record["skipped"]
        began_from = record["model"]
        if len(photos) not in (STAMP_DIGITS, 2 * STAMP_DIGITS):
            raise ValueError("data")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path / RECORD} is damaged ({error}); delete that folder and start anew."
        ) from error
    changed = differences(settings, recipe)
    if model is not None and (model_id := read_card(find_model(model)).id) != began_from:
        changed.append(f"model {began_from} is now {model_id}")
    if changed:
        raise TrainingError(
            f"{path} began with other settings ({', '.join(changed)}); resume it with those it "
            "began with."
        )
    if not data.startswith(photos):  # records of older versions know no sizes
        raise TrainingError(
            f"{path} began with other photos; bring back the list and the photos it began with, "
            "or start a new run under another --out."
        )
    run = RunFolder(path, record)
    require_replaceable(out, run)
    return run


def require_unfinished(out: Path) -> None:
    """Make sure that the run of this name is not finished. Raises `TrainingError`."""
    path = folder_of(out)
    if not (path / START).is_dir():
        raise TrainingError(f"{path} holds a run that is finished; its model is {out}.")


def require_replaceable(out: Path, run: RunFolder) -> None:
    """Make sure that `out` is free, the model that the run started from, or the run's own result.

    Raises:
        TrainingError: it is another model, or no model.
    """
    if not out.exists():
        return
    start = read_card(run.start).fingerprint
    if (out / CARD_NAME).is_file():
        card = read_card(out)
        training = card.fitting.get("training", {})
        result = (training.get("from_fingerprint"), training.get("photos_sha256"))
        if start == card.fingerprint or result == (start, run.record["data"]):
            return
    raise TrainingError(
        f"{out} is not the model that {run.path} began with, and would be replaced; move it "
        "elsewhere, then go on with --resume."
    )


def data_stamp(places: Places, validation: Places | None) -> str:
    """A hash of the photos' names and of their labels, then one of the sizes of their files."""
    names, sizes = sha256(), sha256()
    for part in (places, validation):
        if part is None:
            continue
        names.update("\n".join(part.photos).encode(errors="surrogateescape"))
        for rows in (part.queries, part.database, *part.positives):
            names.update(rows.tobytes() + b";")
        for row in part.used_rows.tolist():
            sizes.update(b"%d;" % size_of(part.path(row)))
    return names.hexdigest()[:STAMP_DIGITS] + sizes.hexdigest()[:STAMP_DIGITS]


def replace_model(new: Path, out: Path, run: RunFolder) -> None:
    """Replace the clustered model `out` by the finished model that was trained from it.

    Raises:
        TrainingError: `out` is another model by now.
    """
    require_replaceable(out, run)
    old = out.with_name(f".{out.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if (out / CARD_NAME).is_file():
        out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)
