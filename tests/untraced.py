"""Coverage is of our rooms: it does not watch others' Python where that runs for seconds."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

DEAR = (("torch.onnx", "export"),)
"""Modules and functions of others that trace makes twice as slow."""
LOADED = ("torch", "torchvision", "timm", "nncf")
"""Packages that take seconds to import, and that a worker imports with the tests."""


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which is run without the trace that coverage sets."""

    def run(*values: Any, **named: Any) -> Any:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*values, **named)
        finally:
            sys.settrace(trace)

    return run


def pytest_configure(config: pytest.Config) -> None:
    """A worker looks into all tests, whichever it runs."""
    if hasattr(config, "workerinput") and "not torch" not in config.option.markexpr:
        for package in filter(find_spec, LOADED):
            untraced(import_module)(package)


@pytest.fixture(scope="module", autouse=True)
def _leave_others_untraced() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in DEAR:
            if module in sys.modules:
                patch.setattr(
                    sys.modules[module], name, untraced(getattr(sys.modules[module], name))
                )
        yield
