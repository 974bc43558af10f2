"""The calibration that an index keeps for its model, measured on its own photos."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from place_search.core.files import write_whole
from place_search.indexer import Index, IndexFormatError
from place_search.indexer.errors import refusal
from place_search.indexer.storage.lock import lock, plain_write_errors
from place_search.models import Calibration, Model, read_calibration
from place_search.search.probability import calibration_of

FILE = "calibration.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class IndexCalibration:
    """A calibration that was measured on `copies` altered photos of an index of `places`.

    `photos` are the sha256 of those photos, hexadecimal; files of before name none. One measured
    because the `model_had_none` gives way to that of the model, once it has its own.
    """

    calibration: Calibration
    places: int
    copies: int
    photos: tuple[str, ...] = ()
    model_had_none: bool = False

    def is_of(self, index: Index) -> bool:
        """Whether at least half of the photos are there, among about as many places as then."""
        if not self.places < 2 * len(index) < 4 * self.places:
            return False
        there = index.places_holding({bytes.fromhex(photo) for photo in self.photos})
        return 2 * len(there) >= len(self.photos)


def read_index_calibration(index: Index) -> IndexCalibration | None:
    """What an index keeps for the model that made it, if it keeps any.

    Raises:
        IndexFormatError: the file is damaged, or a newer version wrote it.
        IndexReadError: it may not or cannot be read.
    """
    path = index.folder / FILE
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept["format"] > _FORMAT:
            raise IndexFormatError(
                f"{path} was written by a newer place-search; upgrade place-search, or measure "
                f"again with `place-search calibrate {index.folder}`."
            )
        # Those of before had no checksum.
        if kept.get("sha256", checksum_of(kept)) != checksum_of(kept):
            raise ValueError("The checksum does not fit.")
        if {key: kept.get(key) for key in _made_by(index)} != _made_by(index):
            return None
        calibration = read_calibration(kept["calibration"])
        photos = tuple(map(str, kept.get("photos", ())))
        return IndexCalibration(
            calibration,
            places=int(kept["places"]),
            copies=int(kept["copies"]),
            photos=photos,
            model_had_none=bool(kept.get("model_had_none", False)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise refusal(path, error) or IndexFormatError(
            f"{path} is damaged; measure again with `place-search calibrate {index.folder}`."
        ) from error


def checksum_of(kept: Mapping[str, Any]) -> str:
    """The checksum of what an index keeps, hexadecimal; it is itself left out."""
    said = {key: value for key, value in kept.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _made_by(index: Index) -> dict[str, str | None]:
    """What a calibration is of."""
    verifier = index.manifest.verifier
    return {
        "fingerprint": index.fingerprint,
        "precision": index.precision,
        "verifier": None if verifier is None else str(verifier["fingerprint"]),
    }


def write_index_calibration(index: Index, measured: IndexCalibration) -> None:
    """Keep a calibration beside the index's manifest.

    Raises:
        IndexWriteError: a full disk, a read-only folder, or another process that writes there.
    """
    content: dict[str, Any] = {
        "format": _FORMAT,
        **_made_by(index),
        **asdict(measured),
    }
    content["sha256"] = checksum_of(content)
    with plain_write_errors(index.folder), lock(index.folder):
        write_whole(index.folder / FILE, f"{json.dumps(content, indent=2)}\n".encode())


def calibration_of_index(index: Index, model: Model) -> IndexCalibration | None:
    """What an index keeps, unless it gives way to the model's own.

    Raises:
        IndexFormatError: the file is damaged, or a newer version wrote it.
        IndexReadError: it may not or cannot be read.
    """
    kept = read_index_calibration(index)
    gives_way = kept is not None and kept.model_had_none and model.card.calibration is not None
    return None if gives_way else kept


class ChosenCalibration(NamedTuple):
    """The calibration that probabilities are by, and whether that of the included model is lent."""

    calibration: Calibration
    is_borrowed: bool


def calibration_for(index: Index | None, model: Model) -> ChosenCalibration:
    """The calibration of an index, else that of its model, else that of the included model.

    Raises:
        IndexFormatError: the index's own is damaged, or a newer version wrote it.
    """
    kept = None if index is None else calibration_of_index(index, model)
    if kept is not None:
        return ChosenCalibration(kept.calibration, is_borrowed=False)
    return ChosenCalibration(calibration_of(model), model.card.calibration is None)


def kept_calibration(index: Index, model: Model) -> Calibration | None:
    """The calibration that an index keeps for the model that made it, if it keeps any.

    Raises:
        ModelMismatchError: another model made the index.
        IndexFormatError: the file is damaged, or a newer version wrote it.
        IndexReadError: it may not or cannot be read.
    """
    index.check_model(model)
    kept = calibration_of_index(index, model)
    return None if kept is None else kept.calibration


def borrowed_note(model: Model) -> str:
    """What is said where the calibration of the included model is lent."""
    return (
        f"The model '{model.card.id}' has no calibration, so probabilities are a guess by that of "
        "the included model; `place-search calibrate INDEX` measures one where the index has "
        "photos of several places."
    )
