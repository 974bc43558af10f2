"""A process forked after a search is refused with a sentence, in place of hanging for ever."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from place_search.core.errors import PlaceSearchError
from place_search.indexer import build_index, open_source
from place_search.models import open_model

SEARCH = """
import multiprocessing, sys
from pathlib import Path
import place_search

folder, photo = sys.argv[1:]
index = place_search.open_index(folder)

def search(_):
    try:
        return place_search.search(index, photo, k=1).results[0].name
    except place_search.PlaceSearchError as error:
        return str(error)

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(search, [0])[0])
    print(search(0))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(search, [0])[0])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(search, [0])[0])
    print(search(0))
"""


def test_a_fork_before_works_and_one_after_a_search_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize((160, 120), Image.Resampling.NEAREST)
        photo.save(tmp_path / "photos" / f"{seed}.jpg")
    build_index(open_source(tmp_path / "photos"), tmp_path / "index", open_model())
    script = tmp_path / "script.py"
    script.write_text(SEARCH)
    photo_file = tmp_path / "photos" / "1.jpg"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "index", photo_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, refused, spawned, last = done.stdout.splitlines()
    assert (first, second, spawned, last) == ("1.jpg",) * 4
    assert refused.startswith("This process was forked from one that has used place-search")


def test_an_opened_model_is_not_sent_to_another_process() -> None:
    with pytest.raises(PlaceSearchError, match="open it there"):
        pickle.dumps(open_model())
