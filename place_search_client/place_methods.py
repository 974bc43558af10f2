"""The methods of the clients for places and groups, blocking and for asyncio."""

import asyncio
import operator
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, SupportsIndex, TypedDict, TypeVar, Unpack

import httpx

from place_search_client.photos import Photo, content_of, files_of
from place_search_client.queries import Filters, place_path, point_in
from place_search_client.reading import read, read_dots, read_tagged
from place_search_client.replies import (
    AddedPhotos,
    AddedPlace,
    Comparison,
    Group,
    GroupsPage,
    IndexList,
    ListedPlace,
    PlaceDetails,
    PlaceGroup,
    PlacesPage,
    ServedIndex,
)

Page = TypeVar("Page", PlacesPage, GroupsPage)


class PlaceChange(TypedDict, total=False):
    """A change of a place: fields that are left out stay, None removes a field's value."""

    name: str | None
    note: str | None
    tags: list[str] | None
    fields: Mapping[str, str | float | bool | None] | None
    position: tuple[float, float] | None


class GroupChange(TypedDict, total=False):
    """A change of a group: the `name`, None for no name, places whose groups to `add`, and places
    to `remove`, which become another group."""

    name: str | None
    add: Iterable[SupportsIndex]
    remove: Iterable[SupportsIndex]


class Listing(Filters, total=False):
    """The places to list, and their order; see GET /v1/places."""

    q: str | None
    sort: str | None
    spots: bool | None


def _matching(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}


def _once() -> dict[str, str]:
    """A header with a new key, by which the retries of a request add no photo twice."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def _form(
    panorama: bool | None, position: tuple[float, float] | None = None, name: str = ""
) -> dict[str, Any]:
    form: dict[str, Any] = {"name": name} if name else {}
    if position is not None:
        form |= point_in(position)
    if panorama is not None:
        form["panorama"] = str(panorama).lower()
    return form


def _patch(change: PlaceChange) -> dict[str, Any]:
    patch: dict[str, Any] = dict(change)
    if (position := change.get("position")) is not None:
        patch["position"] = point_in(position)
    if fields := change.get("fields"):
        patch["fields"] = {name: _of_python(value) for name, value in fields.items()}
    return patch


def _of_python(value: Any) -> Any:
    """The Python number of a NumPy number, which JSON cannot encode."""
    return value.item() if hasattr(value, "item") else value


def _group_patch(change: GroupChange) -> dict[str, Any]:
    patch: dict[str, Any] = dict(change)
    for key in ("add", "remove"):
        if key in patch:
            patch[key] = [operator.index(place_id) for place_id in patch[key]]
    return patch


class PlaceMethods:
    """The methods of `Client` for places; they raise as `Client.search` does."""

    def _ask(self, method: str, path: str, query: Any = None, **more: Any) -> httpx.Response:
        raise NotImplementedError

    def _pages(self, kind: type[Page], path: str, query: dict[str, Any]) -> Iterator[Page]:
        while True:
            page = read(kind, self._ask("GET", path, query))
            yield page
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    def compare(
        self, one: Photo, other: Photo, *, box: tuple[float, float, float, float] | None = None
    ) -> Comparison:
        """Whether two photos show the same place.

        With a `box` (x, y, width, height in pixels of the upright photo) only that part of `one` is
        compared. Raises as `Client.search` does.
        """
        files = {"image1": ("1", content_of(one)), "image2": ("2", content_of(other))}
        return read(Comparison, self._ask("POST", "/v1/compare", {"box": box}, files=files))

    def indexes(self) -> list[ServedIndex]:
        """The server's indexes; `SERVER/v1/indexes/NAME` is the `server` of a client for one."""
        return read(IndexList, self._ask("GET", "/v1/indexes")).indexes

    def places(self, *, page: int = 100, **listing: Unpack[Listing]) -> Iterator[ListedPlace]:
        """The places of a listing in their order; a request fetches `page` places."""
        for batch in self._pages(PlacesPage, "/v1/places", {"limit": page, **listing}):
            yield from batch.places

    def dots(
        self, bbox: tuple[float, float, float, float], *, limit: int | None = None
    ) -> dict[str, Any]:
        """The places with a position in a box, as a GeoJSON FeatureCollection of points.

        The `bbox` is west, south, east and north in degrees; with west > east it crosses the date
        line. With more than `limit` places, by default 4000, a point stands for several places:
        `count` of its properties is their number.
        """
        return read_dots(self._ask("GET", "/v1/places", {"bbox": bbox, "limit": limit}))

    def place(self, place_id: SupportsIndex) -> PlaceDetails:
        """A place."""
        return read(PlaceDetails, self._ask("GET", place_path(place_id)))

    def place_with_etag(self, place_id: SupportsIndex) -> tuple[PlaceDetails, str]:
        """A place, and the ETag with which the server refuses to change a newer version."""
        reply = self._ask("GET", place_path(place_id))
        return read_tagged(PlaceDetails, reply)

    def add(
        self,
        photo: Photo,
        *,
        position: tuple[float, float] | None = None,
        name: str = "",
        panorama: bool | None = None,
    ) -> AddedPlace:
        """Add a photo, by default at its own position; a photo that the index has stays as is.

        A 360° `panorama` is added as its views: by default where its metadata calls it a panorama,
        for True also where its sides are 2:1. Raises as `Client.search` does.
        """
        files, form = {"photo": ("photo", content_of(photo))}, _form(panorama, position, name)
        reply = self._ask("POST", "/v1/places", files=files, data=form, headers=_once())
        return read(AddedPlace, reply)

    def add_many(
        self, photos: Photo | Iterable[Photo], *, panorama: bool | None = None
    ) -> AddedPhotos:
        """Add photos, and zip or tar archives of photos, by one change of the index."""
        reply = self._ask(
            "POST",
            "/v1/places/bulk",
            files=files_of(photos, named=True),
            data=_form(panorama),
            headers=_once(),
        )
        return read(AddedPhotos, reply)

    def edit(
        self, place_id: SupportsIndex, *, etag: str | None = None, **change: Unpack[PlaceChange]
    ) -> PlaceDetails:
        """Edit a place: its `name`, `note`, `tags`, `fields` or `position`."""
        headers = _matching(etag)
        reply = self._ask("PATCH", place_path(place_id), json=_patch(change), headers=headers)
        return read(PlaceDetails, reply)

    def remove(self, place_id: SupportsIndex, *, etag: str | None = None) -> None:
        """Remove a place; nothing happens to a removed place."""
        self._ask("DELETE", place_path(place_id), headers=_matching(etag))

    def groups(self, *, page: int = 100) -> Iterator[Group]:
        """The groups of several photos of one spot, and those with a name, a `page` at a time."""
        for batch in self._pages(GroupsPage, "/v1/groups", {"limit": page}):
            yield from batch.groups

    def group(self, place_id: SupportsIndex) -> PlaceGroup:
        """The group that a place is in, with its places."""
        return read(PlaceGroup, self._ask("GET", f"{place_path(place_id)}/group"))

    def group_with_etag(self, place_id: SupportsIndex) -> tuple[PlaceGroup, str]:
        """As `group`, and the ETag with which the server refuses to change a newer version."""
        reply = self._ask("GET", f"{place_path(place_id)}/group")
        return read_tagged(PlaceGroup, reply)

    def change_group(
        self, place_id: SupportsIndex, *, etag: str | None = None, **change: Unpack[GroupChange]
    ) -> PlaceGroup:
        """Change the group that a place is in: its `name`, places to `add` and to `remove`."""
        path, headers = f"{place_path(place_id)}/group", _matching(etag)
        reply = self._ask("PATCH", path, json=_group_patch(change), headers=headers)
        return read(PlaceGroup, reply)

    def restore(self, place_id: SupportsIndex) -> PlaceDetails:
        """Bring back a removed place, as long as the index has not been compacted since."""
        return read(PlaceDetails, self._ask("POST", f"{place_path(place_id)}/restore"))


class AsyncPlaceMethods:
    """As `PlaceMethods`."""

    async def _ask(self, method: str, path: str, query: Any = None, **more: Any) -> httpx.Response:
        raise NotImplementedError

    async def _pages(
        self, kind: type[Page], path: str, query: dict[str, Any]
    ) -> AsyncIterator[Page]:
        while True:
            page = read(kind, await self._ask("GET", path, query))
            yield page
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    async def compare(
        self, one: Photo, other: Photo, *, box: tuple[float, float, float, float] | None = None
    ) -> Comparison:
        """As `Client.compare`."""
        first, second = [await asyncio.to_thread(content_of, photo) for photo in (one, other)]
        files = {"image1": ("1", first), "image2": ("2", second)}
        reply = await self._ask("POST", "/v1/compare", {"box": box}, files=files)
        return read(Comparison, reply)

    async def indexes(self) -> list[ServedIndex]:
        """As `Client.indexes`."""
        return read(IndexList, await self._ask("GET", "/v1/indexes")).indexes

    async def places(
        self, *, page: int = 100, **listing: Unpack[Listing]
    ) -> AsyncIterator[ListedPlace]:
        """As `Client.places`: `async for place in client.places()`."""
        async for batch in self._pages(PlacesPage, "/v1/places", {"limit": page, **listing}):
            for place in batch.places:
                yield place

    async def dots(
        self, bbox: tuple[float, float, float, float], *, limit: int | None = None
    ) -> dict[str, Any]:
        """As `Client.dots`."""
        reply = await self._ask("GET", "/v1/places", {"bbox": bbox, "limit": limit})
        return read_dots(reply)

    async def place(self, place_id: SupportsIndex) -> PlaceDetails:
        """As `Client.place`."""
        return read(PlaceDetails, await self._ask("GET", place_path(place_id)))

    async def place_with_etag(self, place_id: SupportsIndex) -> tuple[PlaceDetails, str]:
        """As `Client.place_with_etag`."""
        reply = await self._ask("GET", place_path(place_id))
        return read_tagged(PlaceDetails, reply)

    async def add(
        self,
        photo: Photo,
        *,
        position: tuple[float, float] | None = None,
        name: str = "",
        panorama: bool | None = None,
    ) -> AddedPlace:
        """As `Client.add`."""
        content = await asyncio.to_thread(content_of, photo)
        files, form = {"photo": ("photo", content)}, _form(panorama, position, name)
        reply = await self._ask("POST", "/v1/places", files=files, data=form, headers=_once())
        return read(AddedPlace, reply)

    async def add_many(
        self, photos: Photo | Iterable[Photo], *, panorama: bool | None = None
    ) -> AddedPhotos:
        """As `Client.add_many`."""
        files = await asyncio.to_thread(files_of, photos, named=True)
        reply = await self._ask(
            "POST", "/v1/places/bulk", files=files, data=_form(panorama), headers=_once()
        )
        return read(AddedPhotos, reply)

    async def edit(
        self, place_id: SupportsIndex, *, etag: str | None = None, **change: Unpack[PlaceChange]
    ) -> PlaceDetails:
        """As `Client.edit`."""
        headers = _matching(etag)
        reply = await self._ask("PATCH", place_path(place_id), json=_patch(change), headers=headers)
        return read(PlaceDetails, reply)

    async def remove(self, place_id: SupportsIndex, *, etag: str | None = None) -> None:
        """As `Client.remove`."""
        await self._ask("DELETE", place_path(place_id), headers=_matching(etag))

    async def groups(self, *, page: int = 100) -> AsyncIterator[Group]:
        """As `Client.groups`: `async for group in client.groups()`."""
        async for batch in self._pages(GroupsPage, "/v1/groups", {"limit": page}):
            for group in batch.groups:
                yield group

    async def group(self, place_id: SupportsIndex) -> PlaceGroup:
        """As `Client.group`."""
        return read(PlaceGroup, await self._ask("GET", f"{place_path(place_id)}/group"))

    async def group_with_etag(self, place_id: SupportsIndex) -> tuple[PlaceGroup, str]:
        """As `Client.group_with_etag`."""
        reply = await self._ask("GET", f"{place_path(place_id)}/group")
        return read_tagged(PlaceGroup, reply)

    async def change_group(
        self, place_id: SupportsIndex, *, etag: str | None = None, **change: Unpack[GroupChange]
    ) -> PlaceGroup:
        """As `Client.change_group`."""
        path, headers = f"{place_path(place_id)}/group", _matching(etag)
        reply = await self._ask("PATCH", path, json=_group_patch(change), headers=headers)
        return read(PlaceGroup, reply)

    async def restore(self, place_id: SupportsIndex) -> PlaceDetails:
        """As `Client.restore`."""
        return read(PlaceDetails, await self._ask("POST", f"{place_path(place_id)}/restore"))
