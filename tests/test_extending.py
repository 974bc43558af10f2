"""docs/extending.md: each part there is installed as another distribution would, and used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import unmeasured

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
SECTIONS = {
    section.partition("\n")[0]: section for section in PAGE.read_text("utf-8").split("\n## ")[1:]
}
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
NAMED = re.compile(r"Group `([\w.]+)`, here named `(\w+)`")


@pytest.mark.torch
@pytest.mark.parametrize("heading", SECTIONS)
def test_the_part_works_as_the_page_says(heading: str, tmp_path: Path) -> None:
    named = NAMED.search(SECTIONS[heading])
    assert named is not None
    module, use = BLOCK.findall(SECTIONS[heading])
    (tmp_path / "their_part.py").write_text(module)
    (tmp_path / "use.py").write_text(use)
    about = tmp_path / "their_parts-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-parts\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{named[1]}]\n{named[2]} = their_part\n")
    done = subprocess.run(
        [sys.executable, "use.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=unmeasured(),
    )
    assert done.returncode == 0, done.stderr


def test_every_kind_of_part_is_on_the_page() -> None:
    root = PAGE.parents[1]
    kinds = {
        "place_search." + ".".join(init.parent.relative_to(root).parts)
        for room in ("models", "indexer", "evaluation")
        for init in (root / room).rglob("__init__.py")
        if re.search(r"^A (part|module) defines", init.read_text("utf-8"), re.MULTILINE)
    }
    assert len(kinds) >= 6
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE.read_text("utf-8")} == set()
