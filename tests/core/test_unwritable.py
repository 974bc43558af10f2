"""Why a file cannot be written is said in one sentence, by whoever writes it."""

from pathlib import Path

import pytest

from place_search.core.errors import PlaceSearchError
from place_search.core.files import telling_unwritable


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("98304 requested and 3392 written"), "98304 requested and 3392 written"),
    ],
)
def test_the_reason_is_the_system_s_or_the_library_s(error: OSError, reason: str) -> None:
    with pytest.raises(PlaceSearchError) as told, telling_unwritable(Path("out.csv")):
        raise error
    assert str(told.value) == f"out.csv cannot be written ({reason}); check its folder."
