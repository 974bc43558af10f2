"""The open tracks of a server: their number and their age are limited."""

import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from place_search.search.errors import BusyError, UnknownTrackError
from place_search.search.stages import Stages

if TYPE_CHECKING:
    from place_search.search.engine import Engine
    from place_search.search.tracks.live import LiveTrack
    from place_search.search.tracks.located import LocatedFrame
    from place_search.search.tracks.observer import Observer

MAX_TRACKS = 32
"""The largest number of open tracks; each takes some 8 MB."""
EXPIRES_S = 600.0
"""The seconds without a request after which a track is closed."""
PATH_FRAMES = 1000
"""The number of last frames of a track that can still be requested."""


@dataclass(slots=True)
class OpenTrack:
    """A client's track. It keeps its index and model when the server loads others."""

    track_id: str
    client: str
    engine: "Engine"
    live: "LiveTrack"
    path: "deque[LocatedFrame]" = field(default_factory=lambda: deque(maxlen=PATH_FRAMES))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, photo: bytes, *, stages: Stages | None = None) -> dict[str, Any]:
        """Add a frame; returns the track's summary and the frame's place.

        Raises:
            PhotoError: the photo cannot be read; the track is then unchanged.
        """
        from place_search.search.tracks.located import locate

        stages = stages or Stages()
        with stages.timed("decode"):
            decoded = self.engine.decode(photo)
        with stages.timed("embed"):
            descriptor = self.engine.model.alone().embed(decoded).descriptor
        with self.lock, stages.timed("search"):
            stages.commit()
            state = self.live.add(descriptor)
            number = self.live.count - 1
            located = locate(self.live.observer, state, number, f"frame {number}")
            self.path.append(located)
            return self.about() | {"frame": located.to_dict()}

    def about(self) -> dict[str, Any]:
        """The ids of the track, its index and its model, and its number of frames."""
        return {
            "track_id": self.track_id,
            "index_id": self.engine.index.index_id,
            "model": self.engine.index.model_id,
            "frames": self.live.count,
        }

    def with_path(self) -> dict[str, Any]:
        """The track's summary and its last frames."""
        with self.lock:
            return self.about() | {"path": [frame.to_dict() for frame in self.path]}


class OpenTracks:
    """All tracks of a server, by ids that nobody guesses. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock, self._observing = threading.Lock(), threading.Lock()
        self._tracks: OrderedDict[str, tuple[float, OpenTrack]] = OrderedDict()
        self._observer: Observer | None = None

    def open(
        self, engine: "Engine", *, client: str = "", stages: Stages | None = None
    ) -> OpenTrack:
        """Open a track among the places of an engine's index for a client.

        Where `MAX_TRACKS` are open already, the client with the most tracks loses one.

        Raises:
            BusyError: no other client has at least two tracks more than this client.
        """
        from place_search.search.tracks.live import LiveTrack
        from place_search.search.tracks.observer import Observer

        # Not by two threads: of a million places it takes seconds, and a gigabyte for that time.
        with self._observing:
            observer = self._observer
            if observer is None or observer.index is not engine.index:
                observer = self._observer = Observer(engine.index)
        track = OpenTrack(secrets.token_urlsafe(16), client, engine, LiveTrack(observer))
        with self._lock:
            if stages is not None:
                stages.commit()
            self._expire()
            if len(self._tracks) >= MAX_TRACKS:
                self._make_room(client)
            self._tracks[track.track_id] = (self._clock(), track)
        return track

    def _make_room(self, client: str) -> None:
        """Close the least recently used track of the client with the most tracks."""
        counts = Counter(track.client for _, track in self._tracks.values())
        [(heaviest, most)] = counts.most_common(1)
        if most <= counts[client] + 1:
            raise BusyError(
                f"{MAX_TRACKS} tracks are open already, as many as there may be; close one, or try "
                "again later."
            )
        del self._tracks[next(i for i, (_, t) in self._tracks.items() if t.client == heaviest)]

    def find(self, track_id: str) -> OpenTrack:
        """An open track; its time until it expires begins anew.

        Raises:
            UnknownTrackError: no open track has this id.
        """
        with self._lock:
            self._expire()
            if track_id not in self._tracks:
                raise UnknownTrackError(
                    "There is no open track of this id: tracks close after "
                    f"{EXPIRES_S / 60:.0f} minutes without a request, or sooner "
                    "where many are open; open another."
                )
            _, track = self._tracks.pop(track_id)
            self._tracks[track_id] = (self._clock(), track)
            return track

    def close(self, track_id: str) -> None:
        """Close a track. Raises `UnknownTrackError` as `find` does."""
        self.find(track_id)
        with self._lock:
            self._tracks.pop(track_id, None)

    def tidy(self, engine: "Engine | None") -> None:
        """Close expired tracks, and release the observer of an index that is no longer served."""
        with self._lock:
            self._expire()
        observer = self._observer
        if observer is not None and (engine is None or observer.index is not engine.index):
            self._observer = None

    def _expire(self) -> None:
        """Close expired tracks; tracks are in the order of their last use."""
        now = self._clock()
        while self._tracks:
            oldest, (last_used, _) = next(iter(self._tracks.items()))
            if now - last_used < EXPIRES_S:
                break
            del self._tracks[oldest]
