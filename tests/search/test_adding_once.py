"""Adding places once: repeats under an Idempotency-Key, and many photos by one change."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from place_search.core.geodesy import Position
from place_search.indexer import add_photos, build_index, open_index, open_source, sync_photos
from place_search.models import Model
from tests.search.replies import problem
from tests.search.writable import WritableServer, index_of_street, writable_server

Photos = Callable[..., bytes]


@pytest.fixture(scope="module")
def folder(street: Any, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("0.jpg", "1.jpg", "2.jpg")
    return index_of_street(tmp_path_factory.mktemp("once"), street, model, names)


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Any], folder: Path) -> Iterator[WritableServer]:
    with writable_server(start_server, folder) as server:
        yield server


@pytest.fixture(scope="module")
def adding(server: WritableServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_many_photos_are_added_by_one_change(
    adding: httpx.Client,
    folder: Path,
    street: Any,
    encode_photo: Photos,
    pack: Callable[[dict[str, bytes]], bytes],
) -> None:
    joined = "a/\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}.jpg"
    first = 4 if pack is zipped else 7
    one, two, three = (
        encode_photo(street.photo(first + n), position=Position(48.5, 11.0 + n)) for n in range(3)
    )
    packed = pack({joined: two, "twin.jpg": one, "__MACOSX/._a": b"x", "note.txt": b"no photo"})
    files = [("photo", ("one.jpg", one)), ("photo", ("p", packed)), ("photo", ("x", three[:2000]))]
    before = len((folder / "manifest.json").read_text().split('"descriptors/'))
    reply = adding.post("/v1/places/bulk", files=files)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert [photo["file"] for photo in body["photos"]] == [
        *("one.jpg", joined, "twin.jpg", "note.txt", "x")
    ]
    assert [photo["status"] for photo in body["photos"]] == [201, 201, 200, 422, 422]
    assert (body["added"], body["known"], body["refused"]) == (2, 1, 2)
    assert body["photos"][0]["place"] == body["photos"][2]["place"]
    assert body["photos"][1]["place"]["name"] == joined
    assert body["photos"][1]["place"]["position"] == {"latitude": 48.5, "longitude": 12.0}
    assert all(photo["problem"][0].isupper() for photo in body["photos"][3:])
    shards = len((folder / "manifest.json").read_text().split('"descriptors/'))
    assert shards == before + 2, "one shard, named twice in the manifest"
    found = adding.post("/v1/search", files={"photo": street.query(first)}).json()["results"][0]
    assert found["place_id"] == body["photos"][0]["place"]["place_id"]
    again = adding.post("/v1/places/bulk", files=files).json()
    assert (again["added"], again["known"], again["index_id"]) == (0, 3, body["index_id"])


@pytest.mark.slow
def test_a_photo_is_the_same_place_by_every_way_in(
    adding: httpx.Client, folder: Path, street: Any, model: Model, tmp_path: Path
) -> None:
    ways = ("index", "add", "sync", "place", "bulk", "archive")
    photos = {way: dated(street.photo(70 + at)) for at, way in enumerate(ways)}
    source = tmp_path / "photos"
    source.mkdir()
    places = []
    for way in ("index", "add", "sync"):
        (source / f"{way}.jpg").write_bytes(photos[way])
        if way == "index":
            build_index(open_source(source), tmp_path / "index", model)
        elif way == "add":
            add_photos(tmp_path / "index", open_source(source), model)
        else:
            sync_photos(tmp_path / "index", open_source(source), model)
        places.append(list(open_index(tmp_path / "index").places())[-1])
    sent = [
        adding.post("/v1/places", files={"photo": photos["place"]}),
        adding.post("/v1/places/bulk", files={"photo": ("bulk.jpg", photos["bulk"])}),
        adding.post("/v1/places/bulk", files={"photo": zipped({"a.jpg": photos["archive"]})}),
    ]
    told = [reply.json() for reply in sent]
    told[1:] = [reply["photos"][0]["place"] for reply in told[1:]]
    places += [open_index(folder).place(place["place_id"]) for place in told]
    # All that there is to know of a photo but what it is called.
    alike = {replace(place, place_id=0, name="", path=Path()) for place in places}
    assert len(alike) == 1, places
    assert [place["taken"] for place in told] == ["2024-05-31T12:30:00.250000+00:00"] * 3
    found = adding.get("/v1/places?taken_from=2024-05-31&taken_to=2024-05-31").json()
    assert found["total"] == 3
    for place in told:
        adding.delete(f"/v1/places/{place['place_id']}")


def dated(image: Image.Image) -> bytes:
    """A JPEG with time and position in its Exif."""
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2024:05:31 14:30:00",
        ExifTags.Base.OffsetTimeOriginal: "+02:00",
        ExifTags.Base.SubsecTimeOriginal: "25",
    }
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "S",
        ExifTags.GPS.GPSLatitude: (33.0, 30.0, 0.0),
        ExifTags.GPS.GPSLongitudeRef: "W",
        ExifTags.GPS.GPSLongitude: (70.0, 15.0, 0.0),
    }
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latitude", "code"),
    [
        ((48.0, 30.0, IFDRational(0, 0)), "gps-broken"),
        ((97.0, 0.0, 0.0), "gps-not-on-earth"),
    ],
)
def test_a_photo_that_loses_its_position_is_added_with_a_note(
    adding: httpx.Client, street: Any, latitude: tuple[Any, ...], code: str
) -> None:
    at = 80 if code == "gps-broken" else 82
    one, two = (located(street.photo(at + n), latitude) for n in range(2))
    query = adding.post("/v1/search", files={"photo": one}).json()["query"]
    assert [reason["code"] for reason in query["reasons"]] == [code]
    told = {key: query[key] for key in ("notes", "reasons")}
    photo, key = {"photo": one}, {"Idempotency-Key": code}
    added = adding.post("/v1/places", files=photo, headers=key)
    assert (added.status_code, added.json()["position"]) == (201, None)
    assert added.json().items() >= told.items()
    assert adding.post("/v1/places", files=photo, headers=key).json() == added.json()
    known = adding.post("/v1/places", files=photo)
    assert (known.status_code, known.json()) == (200, added.json())
    photos = [
        ("photo", ("two", two)),
        ("photo", ("plain", street.query(at))),
        ("photo", ("x", b"")),
    ]
    key = {"Idempotency-Key": f"{code} many"}
    many = adding.post("/v1/places/bulk", files=photos, headers=key).json()
    assert [photo["status"] for photo in many["photos"]] == [201, 201, 422]
    assert many["photos"][0].items() >= told.items()
    assert all(photo["notes"] == photo["reasons"] == [] for photo in many["photos"][1:])
    assert adding.post("/v1/places/bulk", files=photos, headers=key).json() == many


def located(image: Image.Image, latitude: tuple[Any, ...]) -> bytes:
    """A JPEG with this latitude in its Exif."""
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: latitude,
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (11.0, 0.0, 0.0),
    }
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_a_photo_that_index_took_from_a_folder_is_there_already(
    adding: httpx.Client, folder: Path
) -> None:
    photo = (folder.parent / "photos" / "1.jpg").read_bytes()
    before = open_index(folder)
    again = adding.post("/v1/places", files={"photo": ("mine.jpg", photo)})
    assert again.status_code == 200
    assert (again.json()["place_id"], again.json()["name"]) == (1, "1.jpg")
    many = [("photo", ("a", photo)), ("photo", ("b", zipped({"x.jpg": photo})))]
    bulk = adding.post("/v1/places/bulk", files=many).json()
    assert (bulk["added"], bulk["known"]) == (0, 2)
    assert {one["place"]["place_id"] for one in bulk["photos"]} == {1}
    after = open_index(folder)
    assert (after.index_id, after.count) == (before.index_id, before.count)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "PUT"])
def test_the_address_of_many_photos_is_no_place(adding: httpx.Client, method: str) -> None:
    refused = adding.request(method, "/v1/places/bulk")
    problem(refused, "method-not-allowed")
    assert refused.headers["allow"] == "POST"


def test_a_photo_that_comes_twice_is_called_as_the_first_time(
    adding: httpx.Client, street: Any, encode_photo: Photos
) -> None:
    photo = encode_photo(street.photo(91))
    sent = [("photo", (name, photo)) for name in ("x.jpg", "y.jpg")]
    first, second = adding.post("/v1/places/bulk", files=sent).json()["photos"]
    assert [(one["file"], one["status"]) for one in (first, second)] == [
        *(("x.jpg", 201), ("y.jpg", 200))
    ]
    assert first["place"]["name"] == "x.jpg"
    assert second["place"] == first["place"]
    adding.delete(f"/v1/places/{first['place']['place_id']}")


def test_what_lies_outside_of_an_archive_is_answered_too(
    adding: httpx.Client, street: Any, encode_photo: Photos
) -> None:
    photo = encode_photo(street.photo(90))
    packed = zipped({"../B/a.jpg": photo, "b.jpg": photo})
    reply = adding.post("/v1/places/bulk", files={"photo": ("a.zip", packed)}).json()
    assert (reply["added"], reply["refused"]) == (1, 1)
    outside, added = reply["photos"]
    assert (outside["file"], outside["status"], outside["place"]) == ("../B/a.jpg", 422, None)
    assert "leads out of the archive" in outside["problem"]
    adding.delete(f"/v1/places/{added['place']['place_id']}")


def test_an_upload_without_photos_is_refused(adding: httpx.Client) -> None:
    whole = zipped({"a.jpg": b"x" * 5000})
    for content in (
        zipped({}),
        zipped({".hidden": b"x"}),
        whole[:-40],
        whole[:60] + b"!" + whole[61:],
    ):
        refused = adding.post("/v1/places/bulk", files=[("photo", ("a.zip", content))])
        if refused.status_code != 200:
            problem(refused, "bad-parameter")
        else:
            assert refused.json()["added"] == 0
    problem(adding.post("/v1/places/bulk"), "bad-parameter")
    many = zipped({f"{number}.jpg": b"x" for number in range(501)})
    said = problem(
        adding.post("/v1/places/bulk", files={"photo": ("a.zip", many)}), "bad-parameter"
    )
    assert "more than 500 photos" in said["detail"]


def test_what_unpacks_to_too_much_is_refused(adding: httpx.Client) -> None:
    bomb = zipped({"bomb.jpg": bytes(40 * 2**20), "b.jpg": b"x"})
    photos = adding.post("/v1/places/bulk", files={"photo": ("a.zip", bomb)}).json()["photos"]
    assert [photo["status"] for photo in photos] == [422, 422]
    assert "MiB; send a smaller photo" in photos[0]["problem"]


def test_a_repeat_is_answered_alike_and_adds_nothing(
    adding: httpx.Client,
    server: WritableServer,
    folder: Path,
    street: Any,
    encode_photo: Photos,
) -> None:
    photo = encode_photo(street.photo(30))
    sent: dict[str, Any] = {"files": {"photo": ("a", photo)}, "data": {"name": "Once"}}
    key = {"Idempotency-Key": "6b1a"}
    many: dict[str, Any] = {"files": [("photo", ("b", encode_photo(street.photo(31))))]}
    first = adding.post("/v1/places", **sent, headers=key)
    bulk = adding.post("/v1/places/bulk", **many, headers={"Idempotency-Key": "bulk"})
    assert (first.status_code, bulk.json()["added"]) == (201, 1)
    place = first.headers["location"]
    assert adding.patch(place, json={"name": "Renamed"}).status_code == 200
    assert adding.delete(place).status_code == 204
    count = open_index(folder).count
    with server.client() as restarted:
        for _ in range(2):
            again = restarted.post("/v1/places", **sent, headers=key)
            assert (again.status_code, again.json()) == (201, first.json())
            assert again.headers["location"] == place
            repeat = restarted.post("/v1/places/bulk", **many, headers={"Idempotency-Key": "bulk"})
            assert repeat.json() == bulk.json()
        for other_name in ("/v1/indexes/index/places", "/indexes/index/v1/places"):
            again = restarted.post(other_name, **sent, headers=key)
            assert (again.status_code, again.json()["place_id"]) == (201, first.json()["place_id"])
        assert open_index(folder).count == count
        other: dict[str, Any] = {"files": {"photo": ("a", photo)}, "data": {"name": "Twice"}}
        problem(restarted.post("/v1/places", **other, headers=key), "key-reused")
        for wrong in ("", "a" * 256):
            refused = restarted.post("/v1/places", **sent, headers={"Idempotency-Key": wrong})
            assert "Idempotency-Key" in problem(refused, "bad-parameter")["detail"]
