"""Weights as other projects publish them, one module a family, recognised from the file itself.

Nothing in a file is ever run: checkpoints are read by torch's restricted unpickler.
"""

from netvlad.readers.found import Weights
from netvlad.readers.read import SUPPORTED, read_weights

__all__ = ["SUPPORTED", "Weights", "read_weights"]
