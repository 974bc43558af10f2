"""Archives of photos that are sent: what they may unpack to, and what they are called."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from place_search.search.errors import ParameterError
from place_search.search.server.content.archives import MOST, photos_of
from place_search.search.server.content.kept_answers import (
    FILE,
    KEPT_SECONDS,
    Answer,
    KeptAnswers,
    RequestKey,
)

MOST_BYTES = 1 << 20


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: list[tarfile.TarInfo], content: bytes = b"") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_what_unpacks_to_far_more_than_was_sent_is_refused() -> None:
    bomb = zipped({f"{n}.bmp": bytes(MOST_BYTES) for n in range(20)})
    assert len(bomb) < MOST_BYTES
    with pytest.raises(ParameterError, match="more than 2 MB unpacked"):
        photos_of([("bomb.zip", bomb)], MOST_BYTES)
    two = photos_of([("two.zip", zipped({"a.bmp": bytes(9), "b.bmp": bytes(MOST_BYTES)}))], 1 << 20)
    assert [(photo.file, len(photo.content)) for photo in two] == [("a.bmp", 9), ("b.bmp", 1 << 20)]


def test_too_many_and_no_photos_are_refused() -> None:
    crowd = zipped({f"{n}.jpg": b"x" for n in range(MOST + 1)})
    with pytest.raises(ParameterError, match=f"more than {MOST} photos"):
        photos_of([("crowd.zip", crowd)], MOST_BYTES)
    with pytest.raises(ParameterError, match="no photo"):
        photos_of([("empty.zip", zipped({}))], MOST_BYTES)


def test_names_that_are_no_utf_8_can_be_told() -> None:
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    (photo,) = photos_of([("a.tar", tarred([tarfile.TarInfo(name)], b"photo"))], MOST_BYTES)
    assert photo.file.encode() == b"caf?.jpg"
    assert photo.content == b"photo"


@pytest.mark.parametrize("how", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_damaged_archive_is_told_whatever_packed_it(how: int) -> None:
    content = bytearray(zipped({"a.jpg": bytes(range(256)) * 40}, how))
    start = content.index(b"a.jpg") + 5
    content[start : start + 40] = b"\xff" * 40
    with pytest.raises(ParameterError, match=r"a\.zip is damaged"):
        photos_of([("a.zip", bytes(content))], MOST_BYTES)


def test_answers_are_forgotten_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name places, which may be gone by then."""
    now = 1e9
    monkeypatch.setattr("time.time", lambda: now)
    answers = KeptAnswers(tmp_path)
    answers.keep(RequestKey("me", "1", "a"), Answer(201, {"name": "the old gate"}))
    now += KEPT_SECONDS + 1
    answers.keep(RequestKey("me", "2", "b"), Answer(201, {"name": "the new gate"}))
    kept = (tmp_path / FILE).read_text()
    assert "the new gate" in kept
    assert "the old gate" not in kept
    assert KeptAnswers(tmp_path).find(RequestKey("me", "2", "b")) is not None
