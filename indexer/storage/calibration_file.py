"""An index's own calibration, beside its manifest: that of its model on photos like these."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from place_search.core.files import write_whole
from place_search.indexer.errors import IndexFormatError
from place_search.models import Calibration, read_calibration

CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True)
class IndexCalibration:
    """A calibration, the fingerprint of its model, and the places that the index had then."""

    calibration: Calibration
    fingerprint: str
    places: int


def load_calibration(folder: Path) -> IndexCalibration | None:
    """The calibration that an index keeps, None where it has none.

    Raises:
        IndexFormatError: it is damaged.
    """
    path = folder / CALIBRATION
    try:
        table: dict[str, Any] = json.loads(path.read_bytes())
        return IndexCalibration(
            read_calibration(table["calibration"]), str(table["fingerprint"]), int(table["places"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IndexFormatError(
            f"{path} is damaged ({error}); make it again with `place-search calibrate {folder}`, "
            "or delete it."
        ) from None


def keep_calibration(folder: Path, kept: IndexCalibration) -> None:
    """Put a calibration beside an index's manifest."""
    write_whole(folder / CALIBRATION, f"{json.dumps(asdict(kept), indent=2)}\n".encode())
