"""Tracks that are open to frames, as a server keeps them: few at a time, and none for ever."""

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

MOST = 32
"""Tracks at a time; each takes some 8 MB."""
EXPIRES_S = 600.0
"""Seconds after which a track is closed that nobody has asked for."""
PATH = 1000
"""The last frames of a track that are kept to be asked for."""


@dataclass(slots=True)
class OpenTrack:
    """A client's track. It keeps its index and model, whatever the server turns to meanwhile."""

    track_id: str
    client: str
    engine: "Engine"
    live: "LiveTrack"
    path: "deque[LocatedFrame]" = field(default_factory=lambda: deque(maxlen=PATH))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, photo: bytes, *, stages: Stages | None = None) -> dict[str, Any]:
        """Take a frame, and say where it is; one that cannot be read changes nothing.

        Raises:
            PhotoError: the photo is not one that can be read.
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
        """Which track it is, and how many frames it has."""
        return {
            "track_id": self.track_id,
            "index_id": self.engine.index.index_id,
            "model": self.engine.index.model_id,
            "frames": self.live.count,
        }

    def told(self) -> dict[str, Any]:
        """The same with its last frames."""
        with self.lock:
            return self.about() | {"path": [frame.to_dict() for frame in self.path]}


class OpenTracks:
    """All tracks of a server, by ids that nobody guesses. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tracks: OrderedDict[str, tuple[float, OpenTrack]] = OrderedDict()
        self._observer: Observer | None = None

    def open(
        self, engine: "Engine", *, client: str = "", stages: Stages | None = None
    ) -> OpenTrack:
        """Open a track among the places of an engine's index for a client.

        Where there are as many as there may be, the client with the most of them loses one.

        Raises:
            BusyError: no other client has two more than this one.
        """
        from place_search.search.tracks.live import LiveTrack
        from place_search.search.tracks.observer import Observer

        observer = self._observer
        if observer is None or observer.index is not engine.index:
            # Without the lock: of a large index it takes a second.
            observer = self._observer = Observer(engine.index)
        track = OpenTrack(secrets.token_urlsafe(16), client, engine, LiveTrack(observer))
        with self._lock:
            if stages is not None:
                stages.commit()
            self._expire()
            if len(self._tracks) >= MOST:
                self._make_room(client)
            self._tracks[track.track_id] = (self._clock(), track)
        return track

    def _make_room(self, client: str) -> None:
        """Close the track of the client with the most that was asked for longest ago."""
        counts = Counter(track.client for _, track in self._tracks.values())
        [(heaviest, most)] = counts.most_common(1)
        if most <= counts[client] + 1:
            raise BusyError(
                f"{MOST} tracks are open already, as many as there may be; close one, or try "
                "again later."
            )
        del self._tracks[next(i for i, (_, t) in self._tracks.items() if t.client == heaviest)]

    def find(self, track_id: str) -> OpenTrack:
        """An open track, whose time begins anew.

        Raises:
            UnknownTrackError: there is none of this id, or not any more.
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
        """Close tracks without frames for long; keep the index of this engine and theirs only."""
        with self._lock:
            self._expire()
        observer = self._observer
        if observer is not None and (engine is None or observer.index is not engine.index):
            self._observer = None

    def _expire(self) -> None:
        """Close tracks without frames for long; those asked for last are last."""
        now = self._clock()
        while self._tracks:
            oldest, (seen, _) = next(iter(self._tracks.items()))
            if now - seen < EXPIRES_S:
                break
            del self._tracks[oldest]
