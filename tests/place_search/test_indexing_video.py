"""`place-search index video.mp4`, and `place_search.index`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import place_search
from place_search.core.errors import PlaceSearchError
from place_search.indexer import open_index
from place_search.photos.video import write_video
from tests.place_search.conftest import photo

pytest.importorskip("av")
Run = Callable[..., Result]
POINT = '<trkpt lat="48.000{second}" lon="11.5"><time>2026-05-01T10:00:0{second}Z</time></trkpt>'


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three places a second long each, and beside it the GPX track of a receiver."""
    pictures = [np.asarray(photo(place)) for place in range(3) for _ in range(4)]
    write_video(tmp_path / "clip.mp4", pictures, 4)
    points = "".join(POINT.format(second=second) for second in range(4))
    (tmp_path / "walk.gpx").write_text(f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>")
    return tmp_path / "clip.mp4"


@pytest.mark.slow
def test_a_video_is_indexed_searched_and_synced(run: Run, clip: Path, photos: Path) -> None:
    index, gpx = clip.parent / "index", clip.with_name("walk.gpx")
    made = run("index", clip, "--out", index, "--gpx", gpx, "--fps", "1")
    assert made.exit_code == 0, made.stderr
    assert "3 places" in made.stdout
    assert "all with a position" in made.stdout
    assert "is taken to start with walk.gpx" in made.stderr
    found = place_search.search(index, photos / "queries" / "1.jpg", k=1)
    assert found.results[0].name == "clip/frame_000001.jpg"
    assert found.results[0].position is not None
    assert found.results[0].position.latitude == pytest.approx(48.0001)
    assert found.results[0].verified is not None
    for data, more in ((clip, ("--gpx", gpx, "--fps", "1")), (clip.parent / "index-frames", ())):
        again = run("sync", index, data, *more)
        assert again.exit_code == 0, again.stderr
        assert "nothing to do: 3 places" in again.stdout
        assert "all with a position" in again.stdout
    added = run("add", index, clip, "--gpx", gpx, "--every", "20m")
    assert added.exit_code == 0, added.stderr
    names = [place.name for place in open_index(index).places()]
    assert [name for name in names if name.startswith("clip 2/")]


def test_in_python(clip: Path, tmp_path: Path) -> None:
    report = place_search.index(
        clip, tmp_path / "index", gpx=clip.with_name("walk.gpx"), every_m=11.0
    )
    assert report.places == report.positioned == 3
    assert place_search.sync(tmp_path / "index", clip, fps=1).places == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'metres'"):
        place_search.index(clip, tmp_path / "index", metres=2)  # type: ignore[call-arg]
    with pytest.raises(PlaceSearchError, match="need the track"):
        place_search.index(clip, tmp_path / "index", every_m=2.0)


def test_wrong_words_are_usage_errors(run: Run, clip: Path, tmp_path: Path) -> None:
    for flag, said in (("--every", "no distance in metres"), ("--video-start", "is no time")):
        result = run("index", clip, "--out", tmp_path / "index", flag, "soon")
        assert result.exit_code == 2
        assert said in result.stderr
    for metres in (".5m", "2.", "1e1 m"):
        result = run("index", clip, "--out", tmp_path / "index", "--every", metres)
        assert "need the track of the camera" in " ".join(result.stderr.split()), metres
