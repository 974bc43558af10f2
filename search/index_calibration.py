"""The calibration that an index keeps for its model, measured on its own photos."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from place_search.core.errors import shell_command
from place_search.core.files import replacing
from place_search.core.text import parse_json
from place_search.indexer import Index, IndexFormatError
from place_search.indexer.errors import read_refusal
from place_search.indexer.storage.lock import lock, plain_write_errors
from place_search.indexer.storage.manifest import CALIBRATION, share
from place_search.models import Calibration, Model, read_calibration
from place_search.search.probability import calibration_of

FILE = CALIBRATION
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class IndexCalibration:
    """A calibration that was measured on `copies` altered photos of an index of `places`.

    `photos` are the sha256 of those photos, hexadecimal; older files have none. A calibration that
    was measured because the `model_had_none` gives way once the model has its own.
    """

    calibration: Calibration
    places: int
    copies: int
    photos: tuple[str, ...] = ()
    model_had_none: bool = False

    def is_of(self, index: Index) -> bool:
        """Whether the index still has half of the photos, and half to twice the places."""
        if not self.places < 2 * len(index) < 4 * self.places:
            return False
        present = index.places_holding({bytes.fromhex(photo) for photo in self.photos})
        return 2 * len(present) >= len(self.photos)


def read_index_calibration(index: Index) -> IndexCalibration | None:
    """The calibration that an index keeps for the model that made it, None without any.

    Raises:
        IndexFormatError: the file is damaged, or a newer version wrote it.
        IndexReadError: the file cannot be read.
    """
    path = index.folder / FILE
    try:
        content = parse_json(path.read_text("utf-8"))
        if content["format"] > _FORMAT:
            raise IndexFormatError(
                f"{path} was written by a newer place-search; upgrade place-search, or measure "
                f"again with {shell_command('calibrate', index.folder)}."
            )
        # Older files have no checksum.
        if content.get("sha256", checksum_of(content)) != checksum_of(content):
            raise ValueError("The checksum does not fit.")
        if {key: content.get(key) for key in _model_of(index)} != _model_of(index):
            return None
        calibration = read_calibration(content["calibration"])
        photos = tuple(map(str, content.get("photos", ())))
        return IndexCalibration(
            calibration,
            places=int(content["places"]),
            copies=int(content["copies"]),
            photos=photos,
            model_had_none=bool(content.get("model_had_none", False)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise read_refusal(path, error) or IndexFormatError(
            f"{path} is damaged; measure again with {shell_command('calibrate', index.folder)}."
        ) from error


def checksum_of(content: Mapping[str, Any]) -> str:
    """The sha256, hexadecimal, of the content of a calibration file without its checksum."""
    hashed = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


def _model_of(index: Index) -> dict[str, str | None]:
    """The identity of the model that a calibration is for."""
    verifier = index.manifest.verifier
    return {
        "fingerprint": index.fingerprint,
        "precision": index.precision,
        "verifier": None if verifier is None else str(verifier["fingerprint"]),
    }


def write_index_calibration(
    index: Index, measured: IndexCalibration, *, patience: float = 0.0
) -> None:
    """Keep a calibration beside the index's manifest.

    Raises:
        IndexWriteError: a full disk, a read-only folder, or another process that writes there for
            more than `patience` seconds.
    """
    content: dict[str, Any] = {
        "format": _FORMAT,
        **_model_of(index),
        **asdict(measured),
    }
    content["sha256"] = checksum_of(content)
    with (
        plain_write_errors(index.folder),
        lock(index.folder, patience=patience),
        replacing(index.folder / FILE) as part,
    ):
        part.write_text(f"{json.dumps(content, indent=2)}\n", "utf-8")
        share(part, index.folder)


def calibration_of_index(index: Index, model: Model) -> IndexCalibration | None:
    """The calibration that an index keeps, unless it gives way to the model's own.

    Raises:
        IndexFormatError: the file is damaged, or a newer version wrote it.
        IndexReadError: the file cannot be read.
    """
    stored = read_index_calibration(index)
    gives_way = stored is not None and stored.model_had_none and model.card.calibration is not None
    return None if gives_way else stored


class ChosenCalibration(NamedTuple):
    """The calibration to use; `notes` say that it is borrowed from the included model, if it is."""

    calibration: Calibration
    notes: tuple[str, ...] = ()


def calibration_for(index: Index | None, model: Model) -> ChosenCalibration:
    """The calibration of an index, else that of its model, else that of the included model.

    Raises:
        IndexFormatError: the index's own is damaged, or a newer version wrote it.
    """
    stored = None if index is None else calibration_of_index(index, model)
    if stored is not None:
        return ChosenCalibration(stored.calibration)
    if model.card.calibration is not None:
        return ChosenCalibration(calibration_of(model))
    return ChosenCalibration(calibration_of(model), (_borrowed_note(model),))


def _borrowed_note(model: Model) -> str:
    return (
        f"The model '{model.card.id}' has no calibration, so probabilities are a guess by that of "
        "the included model; `place-search calibrate INDEX` measures one where the index has "
        "photos of several places."
    )
