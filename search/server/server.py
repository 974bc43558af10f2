"""A server process: it listens, loads the index, serves and stops."""

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING

from place_search.core.files import allow_open_files
from place_search.core.memory import CEILING, keep_freed_memory, machine_bytes, return_freed_memory
from place_search.photos import UPLOADS, Decoder, Photo, PhotoBox, Preprocessing, read_photo
from place_search.search.errors import ServerError, ServerOptionError
from place_search.search.server.content.samples import Samples
from place_search.search.server.keys import ApiKey, KeyRing, read_keys
from place_search.search.server.log import logging_to_stderr
from place_search.search.server.network import BACKLOG, address_of, is_loopback, listen
from place_search.search.server.settings import ServerSettings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from place_search.search.engine import Engine
    from place_search.search.server.state import ServerState

log = logging.getLogger("place_search.server")

STARTING_SWITCH_SECONDS = 0.0001
"""The seconds after which a thread hands Python's lock to another while a server starts."""
_SWITCH_SECONDS = sys.getswitchinterval()
VERIFY_BUDGET_S = 2.0
"""The seconds after which a search begins no further verification, as its client waits."""
EXTRA_FILES = 4 * BACKLOG
"""The number of open files besides connections: connections being accepted or refused, and files
that answers need."""
MIB = 1 << 20
LEAST_BYTES = 64 * MIB
"""The least memory for answers beyond that of a ready server: the compiled graph of one shape."""
ALLOWED_BYTES = 180 * MIB
"""The memory for answers beyond that of a ready server, by default, with `ALLOWED_BYTES_A_CORE`."""
ALLOWED_BYTES_A_CORE = 100 * MIB


def open_engine(
    index_folder: Path,
    options: ServerSettings,
    *,
    decoder: Decoder | None = None,
    served: "Engine | None" = None,
) -> "Engine":
    """Open an index and the model that it was built with.

    Photos are read by `decoder`, if given. The model of the engine that was `served` until now is
    used again where it fits.

    Raises:
        PlaceSearchError: the index or the model cannot be opened, or they do not fit.
    """
    from place_search.indexer import (
        IndexWriteError,
        KeptPhotos,
        collect_leftovers,
        open_index,
        open_index_model,
    )
    from place_search.search.engine import Engine

    if (
        options.writable
        and not _is_of(served, index_folder)
        and KeptPhotos(index_folder).is_unsettled()
    ):
        with suppress(IndexWriteError):  # the first change will report it
            collect_leftovers(index_folder)
    index = open_index(index_folder)
    if (
        served is not None
        and served.index.fingerprint == index.fingerprint
        and index.manifest.keeps_features_of(served.model, index_folder)
    ):
        model = served.model
    else:
        model = open_index_model(
            index.manifest, options.model, threads=options.threads, precision=options.precision
        )
    decode = None if decoder is None else SandboxedDecode(decoder, model.preprocessings)
    return Engine(
        index,
        model,
        decode=decode,
        candidates=options.candidates,
        verify_budget_s=VERIFY_BUDGET_S,
    )


@dataclass(frozen=True, slots=True)
class SandboxedDecode:
    """Reads photos of strangers in decoding processes."""

    decoder: Decoder
    preprocessings: Sequence[Preprocessing]

    def __call__(
        self,
        photo: bytes | Path,
        /,
        *,
        box: PhotoBox | None = None,
        panorama: bool | None = False,
    ) -> Photo:
        """Decode a photo, a box of it or a panorama's views. Raises as `Decoder.photo` does."""
        content = photo if isinstance(photo, bytes) else read_photo(photo)
        return self.decoder.photo(
            content, *self.preprocessings, formats=UPLOADS, box=box, panorama=panorama
        )


@dataclass(slots=True)
class EngineOpener:
    """Opens the version of an index on disk, and prepares it for the first search."""

    index_folder: Path
    options: ServerSettings
    decoder: Decoder
    _opening: "Future[Engine] | None" = None

    def begin(self) -> None:
        """Begin to open the index in a thread; the first call waits for it."""
        # Imported before the thread starts, so that no two threads import at once.
        import place_search.search.engine  # noqa: F401

        pool = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._opening = pool.submit(self._open, None)
        pool.shutdown(wait=False)

    def __call__(self, served: "Engine | None" = None) -> "Engine":
        """The engine; `served` is the engine that it replaces."""
        opening, self._opening = self._opening, None
        engine = self._open(served) if opening is None else opening.result()
        if not _is_of(served, self.index_folder):
            _bound_memory(self.options.memory, self.decoder)
            # In addition to the files of this index, which stay open.
            allow_open_files(self.options.connections + EXTRA_FILES)
        return engine

    def _open(self, served: "Engine | None") -> "Engine":
        engine = open_engine(self.index_folder, self.options, decoder=self.decoder, served=served)
        engine.warm_up()
        return engine


def _is_of(served: "Engine | None", index_folder: Path) -> bool:
    """Whether an engine is of this index, not of another index that shares its model."""
    return served is not None and served.index.folder.resolve() == index_folder.resolve()


def _bound_memory(limit_mb: int | None, decoder: Decoder) -> None:
    """Limit the memory of this process and its decoders, once the index and model are open.

    Raises:
        ServerError: the limit is below what they take already.
    """
    keep_freed_memory()  # large blocks still go back to the system at once
    return_freed_memory()  # opening takes more memory than an open index
    CEILING.read_others = decoder.memory
    ready = CEILING.used()
    least = ready + LEAST_BYTES
    if limit_mb is None:
        cores = len(os.sched_getaffinity(0))
        allowed = ready + ALLOWED_BYTES + ALLOWED_BYTES_A_CORE * cores
        CEILING.limit = max(least, min(allowed, machine_bytes() // 2))
    elif limit_mb * MIB < least:
        raise ServerError(
            f"This index and its model take {ready // MIB} MiB, so {limit_mb} are too few; give "
            f"--memory at least {least // MIB + 1}."
        )
    else:
        CEILING.limit = limit_mb * MIB


def _bound_connections(requested: int) -> int:
    """The number of connections that may be open, each of which is an open file.

    Without a file for the next connection, the server could not even refuse it. Connections get at
    least a quarter of the files.
    """
    files = allow_open_files(requested + EXTRA_FILES)
    most = max(files - EXTRA_FILES, files // 4)
    if most < requested:
        log.warning(
            f"WARNING: this process may open {files} files, so it takes {most} connections at "
            f"most, not {requested}; raise the limit with `ulimit -n`, or lower --connections."
        )
    return min(most, requested)


class _Run:
    """A server from its start to its stop."""

    def __init__(self, address: str, on_ready: Callable[[str, "Engine"], None] | None) -> None:
        self._address = address
        self._on_ready = on_ready
        self.server: uvicorn.Server | None = None

    def loaded(self, state: "ServerState") -> None:
        """Report that the server is ready, or stop it where the engine cannot be opened."""
        # The open index stays, so no garbage collection during an answer needs to scan it.
        gc.freeze()
        _started()
        if state.failure is not None:
            self.stop()
        elif self._on_ready is not None:
            self._on_ready(self._address, state.engine)

    def stop(self, _signum: int = 0, _frame: FrameType | None = None) -> None:
        """Answer the requests in progress, then stop."""
        if self.server is not None:
            self.server.should_exit = True


@contextmanager
def _starting() -> Iterator[None]:
    """Disable garbage collection during the start, of which it takes a tenth for nothing.

    Also switch threads more often: the thread that opens the index reads in small pieces, and after
    each it waits for Python's lock, by default 5 ms, which made the start a tenth longer.
    """
    gc.disable()
    sys.setswitchinterval(STARTING_SWITCH_SECONDS)
    try:
        yield
    finally:
        _started()


def _started() -> None:
    gc.enable()
    sys.setswitchinterval(_SWITCH_SECONDS)


@_starting()
def serve(
    index_folder: Path,
    options: ServerSettings | None = None,
    *,
    name: str = "index",
    others: Mapping[str, Path] = MappingProxyType({}),
    on_ready: Callable[[str, "Engine"], None] | None = None,
    samples: Samples | None = None,
) -> None:
    """Serve an index, and `others` by their names, until SIGINT or SIGTERM.

    The server answers as soon as it listens; `on_ready` is called with its address and engine once
    it can search. The pages offer `samples` to try.

    Raises:
        ServerError: the server cannot listen on the address, or `options` are writable without a
            key that may write.
        PlaceSearchError: the index or its model cannot be opened.
    """
    options = options or ServerSettings()
    # The core file of a crash would keep the photos that were searched with.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    keys = read_keys(options.keys, options.api_keys)
    if options.writable and not any(key.role == "write" for key in keys):
        raise ServerOptionError(
            "--writable needs a key that may write; make one with `place-search key NAME --role "
            "write` and give it with --keys.",
            "writable",
            "keys",
        )
    traces = None
    if options.trace:
        from place_search.search.server.middleware.telemetry import open_provider

        traces = open_provider()
    with ExitStack() as opened:
        opened.enter_context(logging_to_stderr(all_json=options.log))
        _warn_of_useless(keys, {name, *others})
        # The decoder starts while this process imports its modules.
        decoder = opened.enter_context(
            closing(Decoder(workers=options.decoders, limits=options.decode))
        )
        from place_search.indexer import read_manifest

        for folder in (index_folder, *others.values()):
            read_manifest(folder)  # a wrong index is reported before a wrong port
        listener = opened.enter_context(listen(options.host, options.port))
        if is_loopback(listener):
            hosts = (*options.allowed_hosts, options.host)
            options = options.model_copy(update={"allowed_hosts": hosts})
        elif not keys:
            log.warning(
                f"WARNING: everybody who reaches {options.host} may search this index and see its "
                "photos; use --keys, or --host 127.0.0.1."
            )
        opener = EngineOpener(index_folder, options, decoder)
        opener.begin()  # compiles the graph on another core while this thread imports
        from place_search.search.server.app import create_app

        run = _Run(address_of(options.host, listener), on_ready)
        app = create_app(
            opener,
            options,
            decoder=decoder,
            keys=KeyRing(keys, options.keys, options.api_keys),
            index_folder=index_folder,
            name=name,
            others={
                other: (folder, EngineOpener(folder, options, decoder))
                for other, folder in others.items()
            },
            on_loaded=run.loaded,
            traces=traces,
            samples=samples,
        )
        run.server = server = _uvicorn_server(app, options)
        try:
            with _stopped_by_signals(run):
                server.run(sockets=[listener])
        finally:
            CEILING.lift()
            if traces is not None:
                traces.shutdown()
        for served in app.state.indexes.values():
            if served.service.failure is not None:
                raise served.service.failure


def _uvicorn_server(app: "FastAPI", options: ServerSettings) -> "uvicorn.Server":
    import uvicorn

    from place_search.search.server.connection import (
        FINISH_SECONDS,
        HttpServer,
        connection_class,
    )

    return HttpServer(
        uvicorn.Config(
            app,
            http=connection_class(
                read_seconds=options.read_seconds,
                write_seconds=options.read_seconds,
                max_connections=_bound_connections(options.connections),
            ),
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the application's own middleware reads them
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=FINISH_SECONDS + 1,  # cancels what then still runs
        )
    )


@contextmanager
def _stopped_by_signals(run: _Run) -> Iterator[None]:
    """Signals stop the run; uvicorn passes SIGINT and SIGTERM on to the handlers before it."""
    signums = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` sets it
        signums.append(signal.SIGHUP)
    previous = {signum: signal.signal(signum, run.stop) for signum in signums}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _warn_of_useless(keys: Sequence[ApiKey], names: Collection[str]) -> None:
    """Warn of keys for other indexes: no error, as servers may share a file of keys."""
    for key in keys:
        if key.index and key.index not in names:
            log.warning(
                f"WARNING: the key '{key.name}' is for the index '{key.index}' alone, and this "
                f"server has {', '.join(sorted(names))}; serve {key.index}=INDEX, or mend its line."
            )
