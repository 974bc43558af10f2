"""Weights as other projects publish them, one module a family, recognised from the file itself.

Nothing in a file is ever run: checkpoints are read by torch's restricted unpickler.
"""

from place_search.models.importers.read import SUPPORTED, read_weights
from place_search.models.importers.tensors import Weights

__all__ = ["SUPPORTED", "Weights", "read_weights"]
