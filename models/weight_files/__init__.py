"""Weight files of other projects: recognised, read, and written as model folders.

No code in a file is ever run: checkpoints are read by torch's restricted unpickler.
"""

from pathlib import Path

from place_search.models.errors import ModelError

AS_GRAPH = "export it as an ONNX graph (torch.onnx.export), as which any model can be imported"
"""The advice for a model of no family, as a clause."""


def require_file(path: Path) -> None:
    """Raise `ModelError` if a weight file does not exist; needs no torch."""
    if not path.is_file():
        raise ModelError(f"{path} is not a file; name a weight file or a model folder.")
