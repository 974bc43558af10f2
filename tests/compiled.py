"""Graphs that tests compile and export once: most of opening and of writing a model is that."""

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from place_search.models.runtimes import openvino_runtime

MOST = 12
"""Each takes 35 MB."""
PLAIN = (bool, int, float, str, tuple, type(None))


@pytest.fixture(scope="session")
def compiled_graphs() -> Iterator[dict[Any, Any]]:
    """What has been compiled; OpenVINO's objects must be gone before Python ends."""
    kept: dict[Any, Any] = {}
    yield kept
    kept.clear()


@pytest.fixture(scope="module", autouse=True)
def compile_once(request: pytest.FixtureRequest, compiled_graphs: dict[Any, Any]) -> Iterator[None]:
    """Models that are opened again take the graph of the same file, mode and shape.

    Not so in the room of models, whose tests are about compiling.
    """
    if request.path.parent.name == "models":
        yield
        return
    compiler: Any = openvino_runtime._Compiler
    compile_anew = compiler.compile

    def compile_or_take(self: Any, mode: str, shape: Any) -> Any:
        key = (_content(self._graph), mode, shape, str(self._options))
        if key not in compiled_graphs:
            if len(compiled_graphs) == MOST:
                compiled_graphs.clear()
            compiled_graphs[key] = compile_anew(self, mode, shape)
        return compiled_graphs[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "compile", compile_or_take)
        yield


@pytest.fixture(scope="session")
def exported_graphs() -> dict[bytes, bytes]:
    """The files of networks that have been exported, the last ones."""
    return {}


@pytest.fixture(scope="module", autouse=True)
def export_once(
    request: pytest.FixtureRequest, exported_graphs: dict[bytes, bytes]
) -> Iterator[None]:
    """The same network is exported once, and compared with its graph wherever it is written.

    Not so in the room of models, whose tests are about exporting.
    """
    writer: Any = sys.modules.get("place_search.models.folder")
    if writer is None or request.path.parent.name == "models":
        yield
        return
    export_anew = writer.export_onnx

    def export_or_take(network: Any, path: Path) -> None:
        key = _network(network.eval())
        if key in exported_graphs:
            path.write_bytes(exported_graphs[key])
            return
        export_anew(network, path)
        if len(exported_graphs) == MOST:
            exported_graphs.clear()
        exported_graphs[key] = path.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "export_onnx", export_or_take)
        yield


def _network(network: Any) -> bytes:
    """A digest of a network: its modules with their plain attributes, and its numbers."""
    digest = hashlib.blake2b()
    for name, module in network.named_modules():
        plain = {key: value for key, value in vars(module).items() if isinstance(value, PLAIN)}
        digest.update(repr((name, type(module), plain)).encode())
        for tensors in (
            module.named_parameters(recurse=False),
            module.named_buffers(recurse=False),
        ):
            for key, tensor in tensors:
                digest.update(repr((key, tensor.dtype, tensor.shape)).encode())
                digest.update(tensor.detach().numpy().tobytes())
    return digest.digest()


def _content(graph: Path) -> bytes:
    """A digest of a graph's files, those that are there."""
    parts = (graph, graph.with_suffix(".bin"))
    return b"".join(_of_file(part, _state(part)) for part in parts if part.is_file())


def _state(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@cache
def _of_file(file: Path, state: tuple[int, ...]) -> bytes:
    """A digest of a file in a state: models are opened again and again."""
    return hashlib.blake2b(file.read_bytes()).digest()
