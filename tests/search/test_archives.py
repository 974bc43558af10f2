"""Archives of photos that are sent: what they may unpack to, and what they are called."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from place_search.search.errors import ParameterError
from place_search.search.server.content import kept_answers
from place_search.search.server.content.archives import MAX_PHOTOS, photos_of
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


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("=?utf-8?B?4KSY4KSwLmpwZw==?=", "घर.jpg"),
        ("=?iso-8859-1?Q?caf=E9.jpg?=", "café.jpg"),
        ("=?nope?B?4KSY?=", "=?nope?B?4KSY?="),
        ("=?utf-8?B?/w==?=", "=?utf-8?B?/w==?="),
        ("=?utf-8?B?A?=", "=?utf-8?B?A?="),
        ("=?a.jpg", "=?a.jpg"),
        ("घर =?x?=.jpg", "घर =?x?=.jpg"),
    ],
)
def test_a_name_as_mail_encodes_it_is_read(sent: str, told: str) -> None:
    """As .NET sends those that are not ASCII."""
    assert photos_of([(sent, b"\xff\xd8\xff")], 1 << 20)[0].file == told


def test_what_unpacks_to_far_more_than_was_sent_is_refused() -> None:
    bomb = zipped({f"{n}.bmp": bytes(MOST_BYTES) for n in range(20)})
    assert len(bomb) < MOST_BYTES
    with pytest.raises(ParameterError, match="more than 2 MiB unpacked"):
        photos_of([("bomb.zip", bomb)], MOST_BYTES)
    two = photos_of([("two.zip", zipped({"a.bmp": bytes(9), "b.bmp": bytes(MOST_BYTES)}))], 1 << 20)
    assert [(photo.file, len(photo.content)) for photo in two] == [("a.bmp", 9), ("b.bmp", 1 << 20)]


def test_too_many_and_no_photos_are_refused() -> None:
    crowd = zipped({f"{n}.jpg": b"x" for n in range(MAX_PHOTOS + 1)})
    with pytest.raises(ParameterError, match=f"more than {MAX_PHOTOS} photos"):
        photos_of([("crowd.zip", crowd)], MOST_BYTES)
    with pytest.raises(ParameterError, match="no photo"):
        photos_of([("empty.zip", zipped({}))], MOST_BYTES)


def test_photos_of_the_folder_that_was_packed_have_plain_names() -> None:
    packed = tarred([tarfile.TarInfo("./a.jpg"), tarfile.TarInfo("./b/c.jpg")], b"x")
    names = [photo.file for photo in photos_of([("all.tar", packed)], MOST_BYTES)]
    assert names == ["a.jpg", "b/c.jpg"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_is_told_from_a_photo(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(tarred([tarfile.TarInfo("a.jpg")], b"x"))
    with pytest.raises(ParameterError, match=r"all\.tar\.gz .* send a zip or an uncompressed tar"):
        photos_of([("all.tar.gz", packed)], MOST_BYTES)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_lies_outside_of_an_archive_is_told(kind: str) -> None:
    outside = ["../B/a.jpg", "a/../b.jpg", "..\\w.jpg", "/etc/c.jpg"]
    hidden = [
        ".DS_Store",
        "__MACOSX/a.jpg",
        "a/@eaDir/b.jpg/T.jpg",
        "#recycle/c.jpg",
        "a/.thumbs/b.jpg",
        ".\\.git\\b.jpg",
    ]
    names = [*outside, "./a/plain.jpg", *hidden]
    if kind == "zip":
        packed = zipped(dict.fromkeys(names, b"photo"))
    else:
        packed = tarred([tarfile.TarInfo(name) for name in names], b"photo")
    *refused, plain = photos_of([("a", packed)], MOST_BYTES)
    assert [photo.file for photo in refused] == outside
    assert all("leads out of the archive" in photo.problem for photo in refused)
    assert not any(photo.content for photo in refused)
    assert (plain.file, plain.content, plain.problem) == ("a/plain.jpg", b"photo", "")


def test_links_and_devices_in_an_archive_are_told() -> None:
    member = zipfile.ZipInfo("link.jpg")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, "a.jpg")
    (linked,) = photos_of([("a.zip", out.getvalue())], MOST_BYTES)
    assert "link" in linked.problem
    assert linked.content == b""
    members = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        members.append(tarfile.TarInfo(f"{kind.decode()}.jpg"))
        members[-1].type, members[-1].linkname = kind, "a.jpg"
    told = photos_of([("a.tar", tarred(members))], MOST_BYTES)
    assert [photo.file for photo in told] == ["2.jpg", "1.jpg", "6.jpg"]
    assert all("link or a device" in photo.problem for photo in told)


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


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_whatever_an_archive_says_of_itself_is_no_fault_of_the_server(kind: str) -> None:
    """What reads archives raises errors of many kinds where their numbers make no sense."""
    content = b"x" * 240
    if kind == "zip":
        whole = zipped({"a/é.jpg": content, "b.jpg": content}, zipfile.ZIP_STORED)
    else:
        whole = tarred([tarfile.TarInfo("a.jpg"), tarfile.TarInfo("b.jpg")], content)
    refused = 0
    for at in range(4, min(len(whole), 1200)):
        for value in (0, 255, whole[at] ^ 64):
            damaged = bytearray(whole)
            damaged[at] = value
            try:
                photos_of([("a", bytes(damaged))], MOST_BYTES)
            except ParameterError:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize("cut", ["header", "half a header", "no end"])
def test_a_tar_that_ends_too_soon_is_refused_as_a_whole(cut: str) -> None:
    members = [tarfile.TarInfo(name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    packed = bytearray(tarred(members, b"photo"))
    third = packed.index(b"c.jpg")
    if cut == "header":
        packed[third + 150] ^= 1  # in its checksum
    else:
        del packed[third + 300 if cut == "half a header" else third :]
    with pytest.raises(ParameterError, match="is damaged"):
        photos_of([("all.tar", bytes(packed))], MOST_BYTES)


def test_long_answers_are_kept_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MAX_BYTES", 100_000)
    answers = KeptAnswers(tmp_path)
    keys = [RequestKey("me", str(number), "a") for number in range(40)]
    for key in keys:
        answers.keep(key, Answer(200, {"key": key.key, "photos": "x" * 10_000}, {}))
        assert (tmp_path / FILE).stat().st_size < 120_000
        for seen in (answers, KeptAnswers(tmp_path)):
            found = seen.find(key)
            assert found is not None
            assert found.body["key"] == key.key
    assert [answers.find(key) is not None for key in keys[:30]] == [False] * 30


def test_many_short_answers_are_kept(tmp_path: Path) -> None:
    """An import of one client's must not push out the answers of others."""
    answers = KeptAnswers(tmp_path)
    for number in range(2500):
        answers.keep(RequestKey("me", str(number), "a"), Answer(201, {"place_id": number}, {}))
    first = KeptAnswers(tmp_path).find(RequestKey("me", "0", "a"))
    assert first is not None
    assert first.body == {"place_id": 0}


def test_servers_of_one_index_know_each_other_s_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MAX_BYTES", 1000)
    servers = KeptAnswers(tmp_path), KeptAnswers(tmp_path)
    for number in range(40):  # the older half is forgotten now and then
        key = RequestKey("me", str(number), "a")
        assert all(server.find(key) is None for server in servers)
        servers[number % 2].keep(key, Answer(201, {"place_id": number}, {}))
        for server in servers:
            found = server.find(key)
            assert found is not None
            assert found.body == {"place_id": number}


def test_answers_are_forgotten_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name places, which may be gone by then."""
    now = 1e9
    monkeypatch.setattr("time.time", lambda: now)
    answers = KeptAnswers(tmp_path)
    answers.keep(RequestKey("me", "1", "a"), Answer(201, {"name": "the old gate"}, {}))
    now += KEPT_SECONDS + 1
    answers.keep(RequestKey("me", "2", "b"), Answer(201, {"name": "the new gate"}, {}))
    kept = (tmp_path / FILE).read_text()
    assert "the new gate" in kept
    assert "the old gate" not in kept
    assert KeptAnswers(tmp_path).find(RequestKey("me", "2", "b")) is not None
