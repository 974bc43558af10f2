"""Sets switches of other packages before they are imported, and handles Ctrl-C.

The first import of place_search imports this module, which acts at once.
"""

import os
import signal
import sys
from types import FrameType, TracebackType

INTERRUPTED = 130
RETRY_SECONDS = 0.01

_PROGRAMS = ("place-search", "place-search.exe")
_IMPORTER = "<frozen importlib._bootstrap>"
_LOCKING = (
    f"{os.sep}threading.py",
    f"{os.sep}queue.py",
    f"{os.sep}concurrent{os.sep}futures{os.sep}",
)
"""Parts of the paths of the modules that take and release Python's own locks."""


def set_switches() -> None:
    """Set switches that other packages read when imported. SECURITY.md lists each switch."""
    # OpenVINO and NNCF report each import to an analytics service, unless this package is missing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # By default OpenBLAS's threads spin for 25 ms after each product, on cores that other parts of
    # a search need.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def is_program() -> bool:
    """Whether this process runs the program, not another program that imports the library."""
    if sys.argv[:1] == ["-m"]:  # the module's name is before its arguments in `orig_argv`
        (module,) = sys.orig_argv[-len(sys.argv) :][:1] or ("",)
        return module.removeprefix("-m").partition(".")[0] == "place_search"
    return bool(sys.argv) and os.path.basename(sys.argv[0]) in _PROGRAMS  # noqa: PTH119 - no pathlib yet


def exit_on_interrupt() -> None:
    """Let Ctrl-C end the process at once, while there is nothing to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


class Interruptible:
    """A context in which Ctrl-C raises KeyboardInterrupt, but only where that does no harm.

    An interrupt during an import leaves a package half imported: its own `except` hides the
    interrupt, or other threads wait for it for ever. An interrupt right after a lock was taken
    leaves the lock taken, and other threads hang. In both cases the interrupt is retried a moment
    later; a second Ctrl-C ends the process. An interrupt that Python drops, as in a callback of a
    weak reference, is retried too.
    """

    def __init__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        self._alarm = signal.getsignal(signal.SIGALRM)
        self._waiting = False
        self._stuck: tuple[int, int] | None = None

    def __enter__(self) -> None:
        if self._before is _exit:
            signal.signal(signal.SIGALRM, self._retry)
            signal.signal(signal.SIGINT, self._interrupt)
            sys.unraisablehook = self._dropped

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        if self._before is _exit:
            signal.signal(signal.SIGINT, _exit)
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = sys.__unraisablehook__
            signal.signal(signal.SIGALRM, self._alarm)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._waiting:
            _exit(signum, frame)
        self._waiting = _is_import(frame) or self._takes_a_lock(frame)
        if not self._waiting:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)

    def _takes_a_lock(self, frame: FrameType | None) -> bool:
        """Whether the program is taking or releasing a lock, but not waiting for it."""
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        if frame is None or not any(part in frame.f_code.co_filename for part in _LOCKING):
            return False
        before, self._stuck = self._stuck, (id(frame), frame.f_lasti)
        return before != self._stuck

    def _retry(self, _signum: int, _frame: FrameType | None) -> None:
        self._waiting = False
        # Calls the current handler: a server has replaced this one to stop in its own way.
        signal.raise_signal(signal.SIGINT)

    def _dropped(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        else:
            sys.__unraisablehook__(unraisable)


def _exit(_signum: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _is_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False


set_switches()
if is_program():
    exit_on_interrupt()
    # OpenVINO would import its model converter, if installed; the program never converts models.
    sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
