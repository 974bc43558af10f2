"""Decoding photos of strangers in separate processes with limits on time and memory."""

import contextlib
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from place_search.core.errors import PlaceSearchError
from place_search.core.memory import unshared_bytes
from place_search.photos.box import PhotoBox
from place_search.photos.decoding import FORMATS, MAX_PIXELS
from place_search.photos.errors import (
    BoxError,
    OversizedPhotoError,
    PhotoError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
)
from place_search.photos.photo import Facing, Photo
from place_search.photos.preprocessing import Preprocessing
from place_search.photos.sandbox.deadline import decoding_deadline
from place_search.photos.sandbox.job_state import OUT_OF_MEMORY, JobState
from place_search.photos.sandbox.replies import take_photo, take_picture, take_views

log = logging.getLogger(__name__)

PROCESS = "place_search.photos.sandbox.process"
MESSAGE_BYTES = 1 << 16
MAX_OUTPUT_BYTES = 1 << 28
KEPT_BYTES = 1 << 23
RESTART_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
"""Seconds that a killed decoder may take to end."""
WATCH_SECONDS = 0.01
"""Seconds between two looks at a decoder's memory: it can fill some 20 MiB meanwhile."""
LATE = -1000
"""The exit code that stands for a decoder that was killed at the deadline."""
LARGE_BYTES = 8 << 20
"""The bytes of a file from which a photo waits for the turn of large photos at once."""
TURN_SECONDS = 3.0

T = TypeVar("T")

_ERRORS: dict[str, type[PhotoError]] = {
    error.__name__: error
    for error in (BoxError, OversizedPhotoError, UnreadablePhotoError, UnsupportedPhotoError)
}


class DecoderBusyError(PlaceSearchError):
    """Too many large or slow photos are decoded at once."""


class DecoderError(PlaceSearchError):
    """The decoding processes cannot be started again; no photo's fault."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The limits for a photo: seconds of CPU time, bytes of memory, pixels by its header.

    `seconds` is the time until the photo is decoded, waiting for other photos included. One process
    at a time may use `memory_bytes`; the others may use the memory for small photos.
    """

    cpu_seconds: float = 3.5
    memory_bytes: int = 512 << 20
    max_pixels: int = MAX_PIXELS
    seconds: float = 4.0


class Decoder:
    """Decodes photos in up to `workers` processes at once. Thread-safe.

    A photo that kills its process or exceeds a limit costs its own job only: the next photo gets a
    new process. The limit is on CPU time, so that a busy machine calls no good photo bad; where it
    is too busy to meet the deadline (`decoding_until`), it raises `DecoderBusyError`.
    """

    def __init__(self, *, workers: int = 2, limits: DecodeLimits | None = None) -> None:
        """Start the processes, and return before they are ready."""
        self.limits = limits or DecodeLimits()
        self.deaths = 0
        """The number of decoding processes that died of a photo."""
        self._workers = workers
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._number = 0
        self._closed = False
        self._processes = _Processes(workers, self.limits)

    def photo(
        self,
        content: bytes,
        *preprocessings: Preprocessing,
        formats: Sequence[str] = FORMATS,
        box: PhotoBox | None = None,
        panorama: bool | None = False,
    ) -> Photo:
        """Decode a photo or a box of it, with `pixels` resized for the first of `preprocessings`.

        `second` is resized for the second of them. Pixels are bit for bit those of `decode_for`,
        which cuts a `panorama` into views too.

        Raises:
            PhotoError: the photo cannot be read, or not within the limits.
            DecoderBusyError: other photos kept it waiting too long.
            DecoderError: the processes cannot be started any more.
        """
        tables = [asdict(preprocessing) for preprocessing in preprocessings]
        job = {
            "kind": "photo",
            "preprocessings": tables,
            "formats": list(formats),
            "box": box,
            "panorama": panorama,
        }
        photo = self._run_job(job, content, take_photo)
        return photo if box is None else replace(photo, box=box)

    def picture(self, content: bytes, *, longest_side: int) -> bytes:
        """A photo as a bare upright JPEG of at most `longest_side` pixels a side.

        Raises:
            PhotoError: the photo cannot be read, or not within the limits.
            DecoderBusyError: other photos kept it waiting too long.
            DecoderError: the processes cannot be started any more.
        """
        return self._run_job(
            {"kind": "picture", "longest_side": longest_side}, content, take_picture
        )

    def views(
        self, content: bytes, *, formats: Sequence[str] = FORMATS, assumed: bool = False
    ) -> tuple[list[tuple[Facing, bytes]], tuple[str, ...]]:
        """The views of a 360° panorama as bare JPEGs, none for other photos, and notes on it.

        A photo of 2:1 without metadata is a panorama where that is `assumed`.

        Raises: as `picture`.
        """
        job = {"kind": "views", "formats": list(formats), "assumed": assumed}
        return self._run_job(job, content, take_views)

    def memory(self) -> int:
        """Bytes that the processes hold."""
        return sum(map(unshared_bytes, self._processes.pids))

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._closed = True
            self._processes.end()

    def _run_job(
        self, job: dict[str, Any], content: bytes, take: Callable[[dict[str, Any], int], T]
    ) -> T:
        with self._lock:
            self._number += 1
            number = self._number
        job |= {"number": number, "bytes": len(content), "max_pixels": self.limits.max_pixels}
        deadline = min(decoding_deadline(), time.monotonic() + self.limits.seconds)
        if len(content) <= LARGE_BYTES:
            reply = self._ask(job | {"large": False}, content, take, deadline)
            if reply is not None:
                return reply
        # Waiting for the turn takes no decoder from small photos.
        if not self._turn.acquire(timeout=min(TURN_SECONDS, _seconds_left(deadline))):
            raise _busy_error()
        try:
            reply = self._ask(job | {"large": True}, content, take, deadline)
        finally:
            self._turn.release()
        if reply is None:
            raise OversizedPhotoError(
                "the photo needs more memory to decode than there is for it; shrink it first."
            )
        return reply

    def _ask(
        self,
        job: dict[str, Any],
        content: bytes,
        take: Callable[[dict[str, Any], int], T],
        deadline: float,
    ) -> T | None:
        """The result of `take` for the reply to a job; None where the job needs more memory."""
        for _ in range(2):
            # A late photo never has the processes restarted.
            if not _seconds_left(deadline):
                raise _busy_error()
            processes = self._processes
            try:
                slot = processes.idle.get(timeout=_seconds_left(deadline))
            except queue.Empty:
                raise _busy_error() from None
            try:
                reply = slot.ask(job, content, self.limits, deadline)
                if _is_out_of_memory(reply) and job["large"] and slot.state["jobs"] > 1:
                    # Earlier photos may have left too little memory: try a new decoder.
                    reply = slot.ask(job, content, self.limits, deadline)
                if not {"died", "error", "large"} & reply.keys():
                    return take(reply, slot.memory)
            except TimeoutError:
                # A stuck decoder may still write into the slot's memory, which must reach no other
                # photo.
                log.warning("The photo decoders did not answer in time and are started anew.")
                self._restart(processes)
                raise _busy_error() from None
            except (OSError, ValueError, KeyError):  # the process is gone, or its reply is broken
                self._restart(processes)
            else:
                if "large" in reply or _is_out_of_memory(reply):
                    return None
                raise self._error_of(reply)
            finally:
                slot.free_memory()
                processes.idle.put(slot)
        raise DecoderError("The photo decoders end as soon as they are started.")

    def _error_of(self, reply: dict[str, Any]) -> PlaceSearchError:
        if "error" in reply:
            return _ERRORS[reply["error"]](reply["sentence"])
        if reply["died"] == LATE:
            return _busy_error()
        self.deaths += 1
        if -reply["died"] == signal.SIGPROF:
            return UnreadablePhotoError(
                f"the photo takes more than {self.limits.cpu_seconds:g} s of computing to decode; "
                "send a smaller one."
            )
        return UnreadablePhotoError("the photo stopped the decoder; send it in another format.")

    def _restart(self, processes: "_Processes") -> None:
        with self._lock:
            if self._processes is processes and not self._closed:
                processes.end()
                # Processes that end again and again must not keep the machine busy.
                time.sleep(max(0.0, processes.started + RESTART_SECONDS - time.monotonic()))
                self._processes = _Processes(self._workers, self.limits)


def _seconds_left(deadline: float) -> float:
    """The seconds until a deadline; 0 where it has passed."""
    return max(0.0, deadline - time.monotonic())


def _busy_error() -> DecoderBusyError:
    return DecoderBusyError("The server is decoding other large or slow photos; try again soon.")


def _is_out_of_memory(reply: dict[str, Any]) -> bool:
    return reply.get("died") == OUT_OF_MEMORY


class _Slot:
    """The parent's end of the socket to a decoder, and the memory that they share.

    Both are closed when the slot is garbage: a file number that another thread still reads from
    must not be reused.
    """

    def __init__(self, link: socket.socket) -> None:
        link.settimeout(WATCH_SECONDS)
        self.link = link
        self.memory = os.memfd_create("photo")
        self.state_file = JobState.make()
        self.state = JobState(self.state_file)
        weakref.finalize(self, link.close)
        weakref.finalize(self, os.close, self.memory)
        weakref.finalize(self, os.close, self.state_file)

    def ask(
        self, job: dict[str, Any], content: bytes, limits: DecodeLimits, deadline: float
    ) -> dict[str, Any]:
        """The reply to a job; a decoder that exceeds the limits on memory or time is killed.

        `died` of a reply is the exit code of a dead decoder: `OUT_OF_MEMORY`, or `LATE` where it
        did not get its CPU time by the deadline.
        """
        offset = 0
        while offset < len(content):
            offset += os.pwrite(self.memory, memoryview(content)[offset:], offset)
        self.link.send(json.dumps(job).encode())
        killed = 0
        while True:
            try:
                message = self.link.recv(MESSAGE_BYTES)
            except TimeoutError:
                now = time.monotonic()
                if now > deadline + PATIENCE_SECONDS:
                    raise
                # The job has not begun, or has just ended.
                if self.state["number"] != job["number"]:
                    continue
                if self.state.used_bytes() > self.state.limit_bytes(limits.memory_bytes):
                    killed = OUT_OF_MEMORY
                elif now > deadline:
                    killed = killed or LATE  # within its CPU time
                else:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.state["pid"], signal.SIGKILL)
                continue
            if not message:
                raise ConnectionResetError
            reply: dict[str, Any] = json.loads(message)
            if reply["number"] == job["number"]:
                return {"died": killed} if killed and "died" in reply else reply

    def free_memory(self) -> None:
        """Free the memory of a large photo; that of small photos is quicker to use again."""
        if os.fstat(self.memory).st_size > KEPT_BYTES:
            os.ftruncate(self.memory, 0)


class _Processes:
    """The process that forks decoders, and the slots to them."""

    def __init__(self, workers: int, limits: DecodeLimits) -> None:
        self.started = time.monotonic()
        self.idle: queue.LifoQueue[_Slot] = queue.LifoQueue()
        self.slots: list[_Slot] = []
        child_sockets = []
        for _ in range(workers):
            parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            slot = _Slot(parent)
            self.slots.append(slot)
            self.idle.put(slot)
            child_sockets.append(child)
        links = [link.fileno() for link in child_sockets]
        memories = [slot.memory for slot in self.slots]
        states = [slot.state_file for slot in self.slots]
        arguments = {
            "links": links,
            "memories": memories,
            "states": states,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "max_output_bytes": MAX_OUTPUT_BYTES,
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: no module of the folder in which the server was started is imported.
            [sys.executable, "-P", "-m", PROCESS, json.dumps(arguments)],
            pass_fds=[*links, *memories, *states],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(),
        )
        for link in child_sockets:
            link.close()

        # Called at the latest when this object or the program ends, so that no process stays.
        self.end = weakref.finalize(self, _end, self._process)

    @property
    def pids(self) -> list[int]:
        """The ids of the process that forks decoders, and of its decoders."""
        pids = (self._process.pid, *(slot.state["pid"] for slot in self.slots))
        return [pid for pid in pids if pid]


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment() -> dict[str, str]:
    """The environment of the processes, without secrets, with settings for small programs."""
    names = ("PATH", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    return environment | {
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Getting fresh pages would take more than half of the time of small photos.
        "MALLOC_MMAP_THRESHOLD_": "33554432",
        "MALLOC_TRIM_THRESHOLD_": "67108864",
    }
