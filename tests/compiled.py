"""Graphs that tests compile once: opening a model again and again is compiling, most of it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from place_search.models.runtimes import openvino_runtime

MOST = 12
"""Each takes 35 MB."""


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


def _content(graph: Path) -> bytes:
    """A digest of a graph's files, those that are there."""
    digest = hashlib.blake2b()
    for part in (graph, graph.with_suffix(".bin")):
        if part.is_file():
            digest.update(part.read_bytes())
    return digest.digest()
