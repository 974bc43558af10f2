"""`make soak`: press one server for ten minutes, and say whether it bore that.

python -m bench.soak [--seconds N] [--photos DIR] [--clients N] [--memory MB]

The server runs on the demo's index; all load comes from this process, over 127.0.0.1. A tenth of
the time many clients search at once, half of it unverified; three tenths they do so with photos of
500 shapes; a tenth damaged photos come in; the rest all of it together with slow clients, cancelled
uploads and twenty reloads of the index.
"""

import argparse
import asyncio
import io
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from PIL import Image

from bench.link import Link
from bench.serving import serve_command
from bench.table import OUT, Row, print_rows, write_rows
from place_search.demo_photos import fetch_demo_photos
from place_search.indexer import build_index, open_index, open_source
from place_search.models import open_model
from place_search.search.engine import Engine
from place_search.search.server.settings import ServerSettings
from tests.search.photos import bombs, mutated, valid_photos

AFTER_429_S = 1.0
"""What the server asks for: the load itself must not take its cores."""
RELOADS = 20
SHAPES = 500
ALLOWED_MB = 350
"""What the server's memory may grow by for them, and for all else."""


@dataclass
class Answers:
    """What the clients of one stage were answered: seconds, by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.seconds.setdefault(status, []).append(seconds)

    def of(self, *statuses: int) -> list[float]:
        """The seconds of the answers with these statuses, ascending."""
        return sorted(s for status in statuses for s in self.seconds.get(status, [])) or [0.0]

    @property
    def errors(self) -> int:
        """How many answers were the server's fault."""
        return sum(len(s) for status, s in self.seconds.items() if status >= 500)


def main() -> None:
    """Run the soak; the exit code says whether all goals were met."""
    parser = argparse.ArgumentParser(description="Press a place-search server.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--photos", type=Path, help="photos to index (default: the demo's)")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--memory", help="the server's own --memory, in MiB")
    args = parser.parse_args()
    photos = args.photos or fetch_demo_photos(Path("data/demo"), print_message=print).places
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        model = open_model(precision="auto")
        source = open_source(photos)
        build_index(source, index, open_model(mode="throughput", precision="auto"))
        queries = [photo.path.read_bytes() for photo in source.photos][:8]
        shaped = _shaped(queries)
        rates = _rates_in_process(Engine(open_index(index), model), queries, shaped)
        del model
        server, address = _start(index, args.memory)
        try:
            soak = Soak(address, server, index, queries, shaped, args.seconds)
            rows, is_met = asyncio.run(soak.run(args.clients, rates))
        finally:
            server.terminate()
            server.wait(30)
    print_rows(rows)
    print(f"Written to {write_rows(rows, OUT)}")
    sys.exit(0 if is_met else "A goal was missed.")


class _Rates(NamedTuple):
    """What one process does a second, with as many threads as the server has workers."""

    searches: float
    embeddings: float
    searches_of_shaped: float
    """Of those of the photos of 500 shapes that are resized to one shape."""


def _rates_in_process(engine: Engine, queries: Sequence[bytes], shaped: Sequence[bytes]) -> _Rates:
    model = engine.model
    resize = model.preprocessings[0].size
    usual = resize(4, 3)
    of_one_shape = [
        photo for photo in shaped if resize(*Image.open(io.BytesIO(photo)).size) == usual
    ]
    return _Rates(
        _rate(queries, lambda photo: engine.search(photo)),
        _rate(queries, lambda photo: model.embed(model.read(photo))),
        _rate(of_one_shape, lambda photo: engine.search(photo)),
    )


def _rate(queries: Sequence[bytes], work: Callable[[bytes], object], seconds: float = 5.0) -> float:
    """Photos a second."""
    for query in queries:
        work(query)
    end = time.perf_counter() + seconds

    def run(number: int) -> int:
        count = 0
        while time.perf_counter() < end:
            work(queries[(number + count) % len(queries)])
            count += 1
        return count

    workers = ServerSettings().workers
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(run, range(workers))) / seconds


def _shaped(photos: Sequence[bytes]) -> list[bytes]:
    """The photos, stretched to `SHAPES` sizes of which hardly two are alike."""
    chance = random.Random(0)
    made = []
    for number in range(SHAPES):
        size = chance.randint(300, 1600), chance.randint(300, 1600)
        out = io.BytesIO()
        Image.open(io.BytesIO(photos[number % len(photos)])).resize(size).save(out, "JPEG")
        made.append(out.getvalue())
    return made


def _start(index: Path, memory: str | None) -> tuple[subprocess.Popen[bytes], str]:
    command, address = serve_command(index)
    command += ["--read-seconds", "5", *([] if memory is None else ["--memory", memory])]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return server, address
        except httpx.TransportError:
            time.sleep(0.05)
    server.terminate()
    raise RuntimeError("the server did not become ready")


class Soak:
    """The stages, on one server."""

    def __init__(
        self,
        address: str,
        server: subprocess.Popen[bytes],
        index: Path,
        queries: Sequence[bytes],
        shaped: Sequence[bytes],
        seconds: float,
    ) -> None:
        self.address = address
        self.process = psutil.Process(server.pid)
        self.index = index
        self.queries = queries
        self.shaped = shaped
        self.seconds = seconds
        self.peak = 0
        self.live: list[float] = []

    async def run(self, clients: int, own: _Rates) -> tuple[list[Row], bool]:
        """All stages; returns the table, and whether its goals were met."""
        options = ServerSettings()
        alone = await self._alone()
        before = await self._results()
        base, files = self._memory(), self.process.num_fds()
        watch = asyncio.create_task(self._watch())
        crowd = await self._for(0.05, [self._good] * clients)
        unverified = await self._for(0.05, [self._unverified] * clients)
        shaped = await self._for(0.3, [self._in_shapes] * clients)
        damaged = await self._for(0.1, [self._odd] * 16)
        warm = self._memory()
        kinds = [self._good, self._in_shapes, self._odd] * 6 + [self._slow, self._cancelled] * 4
        mixed = await self._for(0.5, kinds, RELOADS)
        await asyncio.sleep(6)
        watch.cancel()
        after = await self._results()
        service = statistics.median(alone)
        # A search uses all cores, so that searches run one after the other, except for decoding.
        bound = 1.5 * (options.queue + 1) * service
        p95 = _p95(crowd.of(200))
        grown = (self._memory() - warm) / 2**20
        stages = (crowd, unverified, shaped, damaged, mixed)
        faults = sum((stage.faults for stage in stages), Counter[str]())
        total = sum(len(s) for stage in stages for s in stage.seconds.values())
        slowest = max(max(stage.of(*stage.seconds)) for stage in stages)
        if faults:
            print(f"Connections that broke: {dict(faults)}")
        over = (self.peak - base) / 2**20
        files = self.process.num_fds() - files
        errors = sum(stage.errors for stage in stages)
        rates = [
            ("searches in a crowd", len(crowd.of(200)) / (self.seconds * 0.05), own.searches),
            (
                "the same unverified",
                len(unverified.of(200)) / (self.seconds * 0.05),
                own.embeddings,
            ),
            (
                "the same of 500 shapes",
                len(shaped.of(200)) / (self.seconds * 0.3),
                own.searches_of_shaped,
            ),
        ]
        live, refused = max(self.live), _p95(crowd.of(429))
        goals: list[tuple[str, str, float, str, bool]] = [
            ("requests", "", total, "≥ 10000", total >= 10_000 or self.seconds < 600),
            ("5xx", "", errors, "0", errors == 0),
            ("slowest answer", "s", slowest, "≤ 5", slowest <= 5),
            ("search alone, p50", "ms", service * 1000, "", True),
            ("accepted in a crowd, p95", "ms", p95 * 1000, f"≤ {bound * 1000:.0f}", p95 <= bound),
            ("refused in a crowd, p95", "ms", refused * 1000, "", True),
            *(
                (measure, "1/s", rate, f"≥ {0.92 * own_rate:.1f}", rate >= 0.92 * own_rate)
                for measure, rate, own_rate in rates
            ),
            ("/livez at any time, slowest", "s", live, "≤ 1", live <= 1),
            ("peak memory over the base", "MB", over, f"≤ {ALLOWED_MB}", over <= ALLOWED_MB),
            ("memory grown in the last half", "MB", grown, "≤ 50", grown <= 50),
            ("files grown", "", files, "≤ 10", files <= 10),
            ("good query's results unchanged", "", float(before == after), "1", before == after),
        ]
        rows = [Row(measure, unit, [float(value)], goal) for measure, unit, value, goal, _ in goals]
        for measure, _, _, _, met in goals:
            if not met:
                print(f"MISSED: {measure}")
        return rows, all(met for *_, met in goals)

    async def _for(
        self, share: float, kinds: Sequence[Callable[..., Awaitable[None]]], reloads: int = 0
    ) -> Answers:
        answers = Answers()
        end = time.monotonic() + self.seconds * share

        async def press(kind: Callable[..., Awaitable[None]], number: int) -> None:
            chance = random.Random(number)
            link = Link(self.address)
            while time.monotonic() < end:
                try:
                    await kind(link, answers, chance)
                except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                    answers.faults[type(error).__name__] += 1
                    link.close()
            link.close()

        async def reload() -> None:
            for _ in range(reloads):
                await asyncio.sleep(self.seconds * share / (reloads + 1))
                manifest = self.index / "manifest.json"
                again = manifest.with_suffix(".new")
                again.write_bytes(manifest.read_bytes())
                again.rename(manifest)

        await asyncio.gather(reload(), *(press(kind, n) for n, kind in enumerate(kinds)))
        return answers

    async def _send(
        self, link: "Link", answers: Answers, photo: bytes, *, verify: bool = True
    ) -> None:
        started = time.perf_counter()
        status, body = await link.search(photo, verify=verify)
        answers.add(status, time.perf_counter() - started)
        if status >= 500:
            print(body)
        if status == 429:
            await asyncio.sleep(AFTER_429_S)

    async def _good(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        await self._send(link, answers, chance.choice(self.queries))

    async def _unverified(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        await self._send(link, answers, chance.choice(self.queries), verify=False)

    async def _in_shapes(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        await self._send(link, answers, chance.choice(self.shaped))

    async def _odd(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        if chance.random() < 0.01:
            photo = chance.choice([content for content, _ in _BOMBS.values()])
        else:
            photo = mutated(chance.choice(_VALID)[1], chance)
        await self._send(link, answers, photo)

    async def _slow(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        reader, writer = await link.connect()
        writer.write(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n")
        writer.write(b"\r\n" if chance.random() < 0.5 else b"X-A: ")
        started = time.perf_counter()
        try:
            await asyncio.wait_for(reader.read(), 20)
            answers.add(408, 0.0)
        except (TimeoutError, ConnectionError):
            answers.faults["a slow client was kept"] += time.perf_counter() - started > 19
        finally:
            writer.close()

    async def _cancelled(self, link: "Link", answers: Answers, chance: random.Random) -> None:
        _, writer = await link.connect()
        writer.write(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + bytes(100_000)
        )
        await asyncio.sleep(chance.random() / 5)
        writer.close()
        answers.add(0, 0.0)

    async def _alone(self) -> list[float]:
        answers, link = Answers(), Link(self.address)
        for number in range(48):
            await self._send(link, answers, self.queries[number % len(self.queries)])
        link.close()
        return answers.of(200)

    async def _results(self) -> Any:
        link = Link(self.address)
        _, body = await link.search(self.queries[0])
        link.close()
        return json.loads(body)["results"]

    async def _watch(self) -> None:
        async with httpx.AsyncClient(base_url=self.address, timeout=60) as client:
            while True:
                started = time.perf_counter()
                await client.get("/livez")
                self.live.append(time.perf_counter() - started)
                self.peak = max(self.peak, await asyncio.to_thread(self._memory))
                await asyncio.sleep(0.5)

    def _memory(self) -> int:
        """Bytes that the server and its decoders do not share with others."""
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                total += process.memory_full_info().uss
            except psutil.NoSuchProcess:
                continue
        return total


def _p95(seconds: Sequence[float]) -> float:
    return seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]


_VALID = valid_photos()
_BOMBS = bombs()

if __name__ == "__main__":
    main()
