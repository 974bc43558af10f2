"""The replies and changes of places and groups that people edit."""

from pydantic import Field, computed_field

from place_search.search.server.content.schemas import (
    Patch,
    PlaceReply,
    ReasonReply,
    Reply,
    SpotReply,
    coded,
)


class PlaceDetailsReply(PlaceReply):
    """A place with its time and heading, its note, tags and own fields."""

    taken: str | None = Field(
        default=None, description="When the photo was taken, ISO 8601 in UTC."
    )
    heading: float | None = Field(
        default=None, description="The direction of the photo, degrees from north."
    )
    note: str = Field(default="", description="A note that people wrote; empty for none.")
    tags: list[str] = Field(default_factory=list)
    fields: dict[str, str | float | bool] = Field(
        default_factory=dict, description="The index's own fields, as GET /v1/index declares them."
    )


class ListedPlaceReply(PlaceDetailsReply):
    """A place of a page of places, with its group."""

    group: SpotReply | None = Field(
        default=None, description="null where no other photo is known to show the same spot."
    )


class PlacesReply(Reply):
    """A page of the places of the index."""

    index_id: str
    total: int = Field(description="Places that fit, or their spots, on all pages.")
    places: list[ListedPlaceReply]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
    changed: bool = Field(
        description="The cursor is of another version of the index: a place that was edited "
        "since, or a spot whose photos changed, may come twice or not at all, all others once."
    )


class GroupReply(SpotReply):
    """A group of photos that show the same spot."""

    held: bool = Field(description="Named or changed by hand: grouping never parts it.")
    place_ids: list[int] = Field(
        description="Ascending; the group's id is one of them, or that of a removed place."
    )


class GroupsReply(Reply):
    """A page of the groups of several photos, and of those with a name."""

    index_id: str
    total: int = Field(description="Groups on all pages.")
    groups: list[GroupReply]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class PlaceGroupReply(GroupReply):
    """The group that a place is in; a place that was never grouped is in a group of its own."""

    index_id: str
    places: list[PlaceDetailsReply] = Field(description="The first 500 of its places.")


class GroupPatch(Patch):
    """A change of a group; fields that are left out stay."""

    name: str | None = Field(default=None, description="At most 200 letters; null for none.")
    add: list[int] = Field(
        default_factory=list, description="Places whose groups become part of this one."
    )
    remove: list[int] = Field(
        default_factory=list, description="Places that become another group together."
    )


class NotedReply(Reply):
    """The base of replies to photos that are added: notes on the photo as it was sent."""

    notes: list[str] = Field(
        default_factory=list, description="Sentences about what was odd in the photo."
    )

    @computed_field(description="The notes as codes, in their order; null where one has none.")
    def reasons(self) -> list[ReasonReply | None]:
        """The codes of the notes."""
        return [coded(note) for note in self.notes]


class AddedPlaceReply(NotedReply, PlaceDetailsReply):
    """The place of a photo that was added, or was there already, with notes on the photo."""


class AddedPhotoReply(NotedReply):
    """The result for each of several photos to add."""

    file: str = Field(description="As it was sent, in an archive or by itself.")
    status: int = Field(description="201 for a new place, 200 for one that was there, else 422.")
    place: PlaceDetailsReply | None
    problem: str | None = Field(description="Why it could not be added; null where it was.")


class AddedPhotosReply(Reply):
    """The results for several photos, which were added by one change of the index."""

    index_id: str
    added: int
    known: int = Field(description="Photos that the index had already.")
    refused: int
    photos: list[AddedPhotoReply] = Field(description="One for each photo, in their order.")


class PositionPatch(Patch):
    """The corrected position of a place."""

    latitude: float = Field(description="Degrees north.", ge=-90, le=90)
    longitude: float = Field(description="Degrees east.", ge=-180, le=180)


class PlacePatch(Patch):
    """A change of a place: fields that are left out stay, null removes a value (RFC 7396)."""

    name: str | None = Field(default=None, description="At most 200 letters.")
    note: str | None = Field(default=None, description="At most 4000 letters.")
    tags: list[str] | None = Field(default=None, description="All of them; at most 64.")
    fields: dict[str, str | float | bool | None] | None = Field(
        default=None, description="By name, merged with those that the place has."
    )
    position: PositionPatch | None = Field(default=None, description="null for that of the photo.")
