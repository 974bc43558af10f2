"""The client of a server, blocking and for asyncio."""

import asyncio
import operator
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Generic, SupportsIndex, TypeVar, Unpack

import httpx

from place_search_client.errors import ProblemError
from place_search_client.photos import Photo, content_of, files_of
from place_search_client.place_methods import AsyncPlaceMethods, PlaceMethods
from place_search_client.proxies import mounts_for
from place_search_client.queries import Filters, parameters, search_query, similar_request
from place_search_client.reading import read, read_picture, read_pictures
from place_search_client.replies import (
    Explanation,
    IndexInfo,
    LocatedFrame,
    ModelInfo,
    PlaceInfo,
    SearchResult,
    SimilarPlaces,
    TrackedFrame,
    TrackInfo,
    TrackPath,
)

RETRIED = (429, 503)
NOT_RETRIED = ("/problems/timed-out", "/problems/index-damaged")
"""The problems that a repeated request would meet again."""
LONGEST_WAIT_S = 60.0
"""The largest number of seconds that a server names."""
LONGEST_SPREAD_S = 10.0
"""The most seconds by which the first of several waits grows by chance."""
UNKNOWN_TRACK = "/problems/unknown-track"
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)


class _Base(Generic[Http]):
    """The settings and the connections of both clients."""

    _open: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        server: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
    ) -> None:
        """`key` is an API key, `timeout` in seconds.

        While the server is busy or still loading, a request is sent up to `retries` times more,
        each time after at least the seconds that the server names, of which `LONGEST_WAIT_S` count.
        The time grows by chance, so that many clients that were refused at once come one by one.
        Proxies of the environment, as `HTTPS_PROXY`, are used for servers on other computers only.

        Raises:
            ValueError: an invalid key, or fewer than 0 retries.
        """
        if retries < 0:
            raise ValueError(f"A request is asked again 0 times or more, not {retries}.")
        self.retries = retries
        secret = (key or "").strip()  # a key from a file has the end of its line
        if secret and not (secret.isascii() and secret.isprintable()):
            raise ValueError("An API key is one line of ASCII letters.")  # without the secret
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._http: Http = self._open(
            base_url=server, timeout=timeout, headers=headers, mounts=mounts_for(server)
        )


class Client(PlaceMethods, _Base[httpx.Client]):
    """A blocking client; thread-safe, to be closed or used in a `with` block."""

    _open = httpx.Client

    def search(
        self,
        photo: Photo | Sequence[Photo],
        *,
        k: int = 10,
        spots: bool = False,
        verify: bool | None = None,
        box: tuple[float, float, float, float] | None = None,
        panorama: bool | None = None,
        near: tuple[float, float] | None = None,
        radius_m: float | None = None,
        **filters: Unpack[Filters],
    ) -> SearchResult:
        """The `k` places that look most like a photo, best first.

        With `spots` places of one group count once, and the results are all places before the
        `k`-th spot, 100 at most. Several photos of one spot, up to 16, are one query with one
        answer. `match` of the answer tells whether the photo's place is among the results. `verify`
        checks the geometry; by default where the index keeps local features. With a `box` (x, y,
        width, height in pixels of the upright photo as sent) only that part of the photo is the
        query. A 360° `panorama` is cut into views, by default where its metadata calls it a
        panorama, with True where it is twice as wide as high. `near` (latitude, longitude in
        degrees) and `radius_m` together leave only the places within that circle, and `filters`
        those that fit them.

        Raises:
            ProblemError: the server refused the request; see its `type`. Or it is no place-search
                server, as the page of a proxy.
            httpx.TransportError: the server was not reached.
            TypeError: a photo is not a path, bytes or a file opened to read bytes.
            ValueError: `near` is not two numbers, or `box` not four.
            OSError: a photo's file cannot be read, is closed, or was read to its end before.
        """
        files = files_of(photo)
        query = search_query(k, spots, verify, box, panorama, near, radius_m, filters)
        return read(SearchResult, self._ask("POST", "/v1/search", query, files=files))

    def similar(
        self,
        place_id: SupportsIndex,
        *,
        k: int = 10,
        same_spot: bool = False,
        near: tuple[float, float] | None = None,
        radius_m: float | None = None,
        **filters: Unpack[Filters],
    ) -> SimilarPlaces:
        """The `k` places that look most like a place of the index, without the place itself.

        Other photos of its group are left out too, unless `same_spot`. `near` (latitude, longitude)
        and `radius_m` are those of a search. Raises as `search` does.
        """
        return read(
            SimilarPlaces,
            self._ask(*similar_request(place_id, k, same_spot, near, radius_m, filters)),
        )

    def index(self) -> IndexInfo:
        """The facts of the server's index. Raises as `search` does."""
        return read(IndexInfo, self._ask("GET", "/v1/index"))

    def model(self) -> ModelInfo:
        """The facts of the server's model. Raises as `search` does."""
        return read(ModelInfo, self._ask("GET", "/v1/model"))

    def explain(self, photo: Photo) -> Explanation:
        """The model's steps from a photo to its descriptor. Raises as `search` does."""
        files = {"photo": ("photo", content_of(photo))}
        return read(Explanation, self._ask("POST", "/v1/explain", files=files))

    def image(self, place: PlaceInfo, *, thumbnail: bool = False, side: int | None = None) -> bytes:
        """A place's photo, or its thumbnail, as a JPEG of at most `side` pixels a side.

        Raises as `search` does.
        """
        return read_picture(self._ask("GET", _image_path(place, thumbnail, side)))

    def thumbnails(
        self, place_ids: Iterable[SupportsIndex], *, side: int | None = None
    ) -> dict[int, bytes]:
        """The thumbnails of up to 100 places, by id, as JPEGs of at most `side` pixels a side.

        Places that the index does not have are left out. Raises as `search` does.
        """
        query = _thumbnails(place_ids, side)
        return read_pictures(self._ask("GET", "/v1/thumbnails", query)) if query["place"] else {}

    def track(self) -> "Track":
        """Open a track; close it, or use it in a `with` block. Raises as `search` does."""
        return Track(self, read(TrackInfo, self._ask("POST", "/v1/tracks")))

    def _ask(self, method: str, path: str, query: Any = None, **more: Any) -> httpx.Response:
        for remaining in range(self.retries, -1, -1):
            response = self._http.request(method, path, params=parameters(query), **more)
            wait = _wait(response, self.retries - remaining)
            if wait is None or not remaining:
                break
            time.sleep(wait)
        return _checked(response)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncClient(AsyncPlaceMethods, _Base[httpx.AsyncClient]):
    """A client for asyncio, to be closed or used in an `async with` block."""

    _open = httpx.AsyncClient

    async def search(
        self,
        photo: Photo | Sequence[Photo],
        *,
        k: int = 10,
        spots: bool = False,
        verify: bool | None = None,
        box: tuple[float, float, float, float] | None = None,
        panorama: bool | None = None,
        near: tuple[float, float] | None = None,
        radius_m: float | None = None,
        **filters: Unpack[Filters],
    ) -> SearchResult:
        """As `Client.search`."""
        files = await asyncio.to_thread(files_of, photo)
        query = search_query(k, spots, verify, box, panorama, near, radius_m, filters)
        return read(SearchResult, await self._ask("POST", "/v1/search", query, files=files))

    async def similar(
        self,
        place_id: SupportsIndex,
        *,
        k: int = 10,
        same_spot: bool = False,
        near: tuple[float, float] | None = None,
        radius_m: float | None = None,
        **filters: Unpack[Filters],
    ) -> SimilarPlaces:
        """As `Client.similar`."""
        reply = await self._ask(*similar_request(place_id, k, same_spot, near, radius_m, filters))
        return read(SimilarPlaces, reply)

    async def index(self) -> IndexInfo:
        """As `Client.index`."""
        return read(IndexInfo, await self._ask("GET", "/v1/index"))

    async def model(self) -> ModelInfo:
        """As `Client.model`."""
        return read(ModelInfo, await self._ask("GET", "/v1/model"))

    async def explain(self, photo: Photo) -> Explanation:
        """As `Client.explain`."""
        files = {"photo": ("photo", await asyncio.to_thread(content_of, photo))}
        return read(Explanation, await self._ask("POST", "/v1/explain", files=files))

    async def image(
        self, place: PlaceInfo, *, thumbnail: bool = False, side: int | None = None
    ) -> bytes:
        """As `Client.image`."""
        return read_picture(await self._ask("GET", _image_path(place, thumbnail, side)))

    async def thumbnails(
        self, place_ids: Iterable[SupportsIndex], *, side: int | None = None
    ) -> dict[int, bytes]:
        """As `Client.thumbnails`."""
        query = _thumbnails(place_ids, side)
        return (
            read_pictures(await self._ask("GET", "/v1/thumbnails", query)) if query["place"] else {}
        )

    async def track(self) -> "AsyncTrack":
        """As `Client.track`: `async with await client.track() as track`."""
        return AsyncTrack(self, read(TrackInfo, await self._ask("POST", "/v1/tracks")))

    async def _ask(self, method: str, path: str, query: Any = None, **more: Any) -> httpx.Response:
        for remaining in range(self.retries, -1, -1):
            response = await self._http.request(method, path, params=parameters(query), **more)
            wait = _wait(response, self.retries - remaining)
            if wait is None or not remaining:
                break
            await asyncio.sleep(wait)
        return _checked(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class Track:
    """An open track: the server locates each frame by the frame and those before.

    The server closes a track after ten minutes without a request, or sooner where many are open.
    """

    def __init__(self, client: Client, opened: TrackInfo) -> None:
        self.opened = opened
        self._client = client
        self._path = f"/v1/tracks/{opened.track_id}"

    def add(self, photo: Photo) -> LocatedFrame:
        """Send the next frame; returns it with its place. Raises as `Client.search` does."""
        files = {"photo": ("photo", content_of(photo))}
        reply = self._client._ask("POST", f"{self._path}/frames", files=files)
        return read(TrackedFrame, reply).frame

    def path(self) -> list[LocatedFrame]:
        """The last frames, at most a thousand, as `add` located them. Raises as `Client.search`."""
        return read(TrackPath, self._client._ask("GET", self._path)).path

    def close(self) -> None:
        """Close the track on the server, which forgets it; nothing happens to a closed track."""
        try:
            self._client._ask("DELETE", self._path)
        except ProblemError as error:
            if error.type != UNKNOWN_TRACK:
                raise

    def __enter__(self) -> "Track":
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        # An error in the block matters more than a later error on closing.
        with suppress(*(ProblemError, httpx.HTTPError) if kind else ()):
            self.close()


class AsyncTrack:
    """As `Track`."""

    def __init__(self, client: AsyncClient, opened: TrackInfo) -> None:
        self.opened = opened
        self._client = client
        self._path = f"/v1/tracks/{opened.track_id}"

    async def add(self, photo: Photo) -> LocatedFrame:
        """As `Track.add`; send a frame when the one before is answered."""
        files = {"photo": ("photo", await asyncio.to_thread(content_of, photo))}
        reply = await self._client._ask("POST", f"{self._path}/frames", files=files)
        return read(TrackedFrame, reply).frame

    async def path(self) -> list[LocatedFrame]:
        """As `Track.path`."""
        return read(TrackPath, await self._client._ask("GET", self._path)).path

    async def aclose(self) -> None:
        """As `Track.close`."""
        try:
            await self._client._ask("DELETE", self._path)
        except ProblemError as error:
            if error.type != UNKNOWN_TRACK:
                raise

    async def __aenter__(self) -> "AsyncTrack":
        return self

    async def __aexit__(self, kind: object, *error: object) -> None:
        with suppress(*(ProblemError, httpx.HTTPError) if kind else ()):
            await self.aclose()


def _image_path(place: PlaceInfo, thumbnail: bool, side: int | None) -> str:
    """An image's path relative to the client's `server`, without the path of a proxy."""
    address = place.thumbnail_url if thumbnail else place.image_url
    path = address[address.rindex("/v1/") :]
    return path if side is None else f"{path}{'&' if '?' in path else '?'}side={int(side)}"


def _thumbnails(place_ids: Iterable[SupportsIndex], side: int | None) -> dict[str, Any]:
    places = [operator.index(place_id) for place_id in place_ids]
    return {"place": places, "side": None if side is None else int(side)}


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "1")))
    except ValueError:
        return 1.0


def _wait(response: httpx.Response, tries: int) -> float | None:
    """The seconds after which to send the request again, or None where that would not help.

    `tries` is how often it was sent again before.
    """
    if response.status_code not in RETRIED or _problem(response).type in NOT_RETRIED:
        return None
    named = min(_retry_after(response), LONGEST_WAIT_S)
    # The spread comes last: a cap after it would let all clients come at once.
    return named + min(named, LONGEST_SPREAD_S) * random.uniform(0, 1 + tries)  # noqa: S311


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise _problem(response)


def _problem(response: httpx.Response) -> ProblemError:
    try:
        body = response.json()
    except ValueError:
        body = None
    retry_after = _retry_after(response) if response.status_code in RETRIED else 0.0
    request_id = response.headers.get("x-request-id", "")
    return ProblemError(response.status_code, body, retry_after, request_id)
