"""The replies of tracks."""

from pydantic import Field

from place_search.search.server.content.schemas import PositionReply, Reply


class TrackReply(Reply):
    """A track that is open to frames."""

    track_id: str = Field(description="Whoever knows it may add frames, and read the path.")
    index_id: str
    model: str
    frames: int = Field(description="The number of frames so far.")


class LocatedFrameReply(Reply):
    """A frame with its place, by the frame itself and the frames before."""

    frame: int = Field(description="From 0 on.")
    name: str
    seconds: float | None = Field(description="Of a video; null for photos.")
    known: bool = Field(
        description="False where no place, give or take a step, is more probable than not."
    )
    probability: float = Field(
        description="Of the place and the two on each side of it, or of being off.", ge=0, le=1
    )
    place_id: int | None
    place: str | None = Field(description="The place's name.")
    position: PositionReply | None
    heading: float | None = Field(description="Degrees from north, where the camera moves.")


class TrackedFrameReply(TrackReply):
    """A track with the frame that was just added."""

    frame: LocatedFrameReply


class TrackPathReply(TrackReply):
    """A track with its last frames."""

    path: list[LocatedFrameReply] = Field(description="At most a thousand.")
