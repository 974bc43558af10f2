"""Weight files of other projects: recognise one, read it, and write it as a model folder.

Nothing in a file is ever run: checkpoints are read by torch's restricted unpickler.
"""

from pathlib import Path

from place_search.models.errors import ModelError


def require_file(path: Path) -> None:
    """Make sure that a weight file is there, which needs no torch. Raises `ModelError`."""
    if not path.is_file():
        raise ModelError(f"{path} is not a file; name a weight file or a model folder.")
