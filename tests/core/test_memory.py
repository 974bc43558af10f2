"""How much memory there is, of the machine and of the container that a process is in."""

from pathlib import Path

import pytest

from place_search.core import memory


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("limit", "used", "most", "free"),
    [(3 << 20, 1 << 20, 3 << 20, 2 << 20), (1 << 20, 2 << 20, 1 << 20, 0)],
)
def test_a_container_holds_less_than_its_machine(
    version: int,
    limit: int,
    used: int,
    most: int,
    free: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups = [tuple(f"{tmp_path}{file}" for file in group) for group in memory.CONTROL_GROUPS]
    for file, value in zip(groups[version], (limit, used), strict=True):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(f"{value}\n", "ascii")
    monkeypatch.setattr(memory, "CONTROL_GROUPS", groups)
    assert memory.machine_bytes() == most
    assert memory.available_bytes() == free


def test_a_container_without_a_limit_holds_as_much_as_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUPS", ())
    machine = memory.machine_bytes()
    limit, used = (str(tmp_path / name) for name in ("limit", "used"))
    Path(limit).write_text("max\n", "ascii")
    Path(used).write_text("5\n", "ascii")
    monkeypatch.setattr(memory, "CONTROL_GROUPS", ((limit, used),))
    assert memory.machine_bytes() == machine
    assert 0 < memory.available_bytes() <= machine


def test_what_a_process_holds_is_part_of_its_address_space() -> None:
    assert memory.private_bytes() < memory.resident_bytes() < memory.address_space_bytes()
