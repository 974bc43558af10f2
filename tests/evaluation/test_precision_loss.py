"""What a model loses in int8 is measured on the model that is used."""

from pathlib import Path

from place_search.evaluation.precision_loss import _with_cache
from place_search.models import open_model


def test_the_measured_model_codes_local_features_as_the_opened_one(tmp_path: Path) -> None:
    opened = open_model("lite0-netvlad-1024", max_pixels=1_000_000)
    measured = _with_cache(opened, tmp_path, "descriptors")
    assert measured.directions is opened.directions is not None
    assert (measured.code_bytes, measured.max_pixels) == (7, 1_000_000)
