"""The process that decodes photos for a server, so that they cannot harm the server.

`Decoder` starts it as a module, with a socket and two shared memory files for each decoder. It
imports once, and forks a decoder when a job waits on a socket without one; a decoder serves its
socket until a photo kills it, until it has done `RENEW_JOBS` jobs, or until it has become large. So
a death costs one job and one fork, no idle decoder is forked, and leaks of photos do not add up.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
from functools import partial
from typing import Any, NoReturn

import pillow_heif
from PIL import AvifImagePlugin

from place_search.core.errors import PlaceSearchError
from place_search.core.memory import address_space_bytes, keep_freed_memory
from place_search.photos.box import PhotoBox
from place_search.photos.decoding import decode_photo
from place_search.photos.errors import OutOfMemoryError, PhotoError
from place_search.photos.opencv import cv2
from place_search.photos.panorama import (
    VIEW_QUALITY,
    VIEW_SIZE,
    inspect_panorama,
    read_views,
)
from place_search.photos.photo import encode_jpeg, fit_within
from place_search.photos.preprocessing import Preprocessing, decode_for, resize_photo
from place_search.photos.sandbox.job_state import (
    NOTHING,
    OUT_OF_MEMORY,
    SMALL_BYTES,
    JobState,
)

MESSAGE_BYTES = 1 << 16
LARGE_PIXELS = 12_000_000
"""The pixels above which photos are decoded one at a time, which bounds memory."""
RENEW_JOBS = 200
ADDRESS_SPACE = 1 << 30
"""The bytes that a decoder may reserve beyond twice its limit of used memory. Libraries call a good
photo corrupt where reserving fails, so that the limit of used memory must be met first."""
PHOTO_FIELDS = ("width", "height", "position", "notes", "taken")
"""The fields of a photo in a reply, beside its pixels."""


def main(arguments: dict[str, Any]) -> None:
    """Fork decoders for the sockets until the other end of one is closed."""
    keep_freed_memory()
    slots = [
        _Slot(socket.socket(fileno=link), memory, JobState(state))
        for link, memory, state in zip(
            arguments["links"], arguments["memories"], arguments["states"], strict=True
        )
    ]
    _limit(arguments["memory_bytes"], arguments["max_output_bytes"])
    poller = select.poll()
    waiting = {slot.link.fileno(): slot for slot in slots}
    running: dict[int, tuple[int, _Slot]] = {}
    for file in waiting:
        poller.register(file, select.POLLIN)
    while True:
        for file, _ in poller.poll():
            if file in running:
                child, slot = running.pop(file)
                poller.unregister(file)
                os.close(file)
                slot.report_death(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                waiting[slot.link.fileno()] = slot
                poller.register(slot.link, select.POLLIN)
            else:
                slot = waiting[file]
                if not slot.link.recv(1, socket.MSG_PEEK):
                    return
                del waiting[file]
                poller.unregister(file)
                slot.state.begin()
                child = os.fork()
                if child == 0:
                    _become_decoder(
                        slot, slots, arguments["cpu_seconds"], arguments["memory_bytes"]
                    )
                handle = os.pidfd_open(child)
                running[handle] = child, slot
                poller.register(handle, select.POLLIN)


class _NeedsTurnError(PlaceSearchError):
    """The photo is too large for a job without the turn of large photos."""


class _Slot:
    """A socket with its shared memory, and the state of its current job."""

    def __init__(self, link: socket.socket, memory: int, state: JobState) -> None:
        self.link = link
        self.memory = memory
        self.state = state

    def check_size(self, width: int, height: int) -> None:
        """Raise `_NeedsTurnError` for a large photo, unless its job may be large."""
        if width * height > LARGE_PIXELS and not self.state["large"]:
            raise _NeedsTurnError("This is a large photo.")

    def report_death(self, exit_code: int) -> None:
        """Answer the job of a dead decoder."""
        if self.state["number"] != NOTHING:
            self.answer({"number": self.state["number"], "died": exit_code})
            self.state["number"] = NOTHING

    def answer(self, reply: dict[str, Any]) -> None:
        try:
            self.link.send(json.dumps(reply).encode())
        except BrokenPipeError:
            os._exit(0)  # the server is gone


def _limit(memory_bytes: int, max_output_bytes: int) -> None:
    """Set resource limits of this process and its forks, beside the memory of `JobState`."""
    space = address_space_bytes() + 2 * memory_bytes + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_output_bytes, max_output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Every thread takes address space for its stack.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 2
    pillow_heif.options.DECODE_THREADS = 2
    # Half a millisecond slower for a single photo; busy cores have other photos to decode.
    cv2.setNumThreads(1)


def _become_decoder(
    slot: _Slot, slots: list[_Slot], cpu_seconds: float, memory_bytes: int
) -> NoReturn:
    state = slot.state
    try:
        state["pid"] = os.getpid()
        for other_slot in slots:
            if other_slot is not slot:
                other_slot.link.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes about every odd tag
        is_worn = False
        while not is_worn and (message := slot.link.recv(MESSAGE_BYTES)):
            job = json.loads(message)
            state["jobs"] += 1
            state["large"] = int(job["large"])
            state["number"] = job["number"]
            # The default action of the signal ends the process, even inside of a library.
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            reply = _do_job(slot, job)
            signal.setitimer(signal.ITIMER_PROF, 0)
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - state["base"]
            if used > state.limit_bytes(memory_bytes):
                os._exit(OUT_OF_MEMORY)
            is_worn = used > SMALL_BYTES or state["jobs"] >= RENEW_JOBS
            state["number"] = NOTHING
            slot.answer({"number": job["number"], **reply})
    finally:
        os._exit(0)


def _do_job(slot: _Slot, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job; the pixels or JPEGs are written into the shared memory. Returns the reply."""
    try:
        content = os.pread(slot.memory, job["bytes"], 0)
        do = {"photo": _photo, "picture": _picture, "views": _views}[job["kind"]]
        return do(slot, content, job)
    except _NeedsTurnError:
        return {"large": True}
    except (MemoryError, OutOfMemoryError):
        os._exit(OUT_OF_MEMORY)
    except PhotoError as error:
        return _error_reply(error)


def _error_reply(error: PhotoError) -> dict[str, Any]:
    return {"error": type(error).__name__, "sentence": str(error)}


def _photo(slot: _Slot, content: bytes, job: dict[str, Any]) -> dict[str, Any]:
    preprocessings = [Preprocessing(**table) for table in job["preprocessings"]]
    photo = decode_for(
        content,
        preprocessings,
        job["box"] and PhotoBox(*job["box"]),
        panorama=job["panorama"],
        max_pixels=job["max_pixels"],
        formats=job["formats"],
        before_pixels=slot.check_size,
    )
    shapes, start = [], 0
    for view in (photo, *photo.views):
        for preprocessing in preprocessings:
            pixels = resize_photo(view, preprocessing)
            start += os.pwrite(slot.memory, pixels.data, start)
            shapes.append(pixels.shape)
    fields = {key: getattr(photo, key) for key in PHOTO_FIELDS}
    return {"photo": fields, "shapes": shapes, "facing": [view.facing for view in photo.views]}


def _picture(slot: _Slot, content: bytes, job: dict[str, Any]) -> dict[str, Any]:
    side = job["longest_side"]
    photo = decode_photo(
        content,
        target_size=partial(fit_within, longest_side=side),
        max_pixels=job["max_pixels"],
        before_pixels=slot.check_size,
    )
    jpeg = encode_jpeg(photo.pixels, fit_within(photo.width, photo.height, side))
    return {"bytes": os.pwrite(slot.memory, jpeg, 0)}


def _views(slot: _Slot, content: bytes, job: dict[str, Any]) -> dict[str, Any]:
    inspection = inspect_panorama(content, assumed=job["assumed"])
    why_whole = inspection.why_whole(asked=job["assumed"])
    if inspection.panorama is None:
        return {"bytes": [], "facing": [], "notes": why_whole}
    photo = read_views(
        content,
        inspection.panorama,
        max_pixels=job["max_pixels"],
        formats=job["formats"],
        before_pixels=slot.check_size,
    )
    jpegs = [encode_jpeg(view.pixels, VIEW_SIZE, quality=VIEW_QUALITY) for view in photo.views]
    os.pwrite(slot.memory, b"".join(jpegs), 0)
    return {
        "bytes": list(map(len, jpegs)),
        "facing": [view.facing for view in photo.views],
        "notes": inspection.panorama.notes if photo.views else why_whole,
    }


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    main(json.loads(sys.argv[1]))
