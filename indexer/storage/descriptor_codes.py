"""Descriptors in 8 bits a number: a quarter of the bytes, at no measurable loss of recall.

A code is round(127·x / max|x|) of each number x of a descriptor. The descriptor that it stands for
is code / ‖code‖: all descriptors are of norm 1, so no scale is stored.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from place_search.indexer.errors import IndexWriteError

DescriptorType = Literal["int8", "float32"]
INT8: DescriptorType = "int8"
FLOAT32: DescriptorType = "float32"

MEANING = {
    INT8: "codes of descriptors of norm 1: divide each row by its Euclidean norm",
    FLOAT32: "descriptors of norm 1",
}
"""The meaning of the dataset `descriptors` by its type, as the joined file states it."""

_LARGEST = 127


def require_descriptor_type(kind: str) -> None:
    """Make sure that `kind` is a type of descriptors. Raises `IndexWriteError`."""
    if kind not in get_args(DescriptorType):
        raise IndexWriteError(f"Descriptors cannot be of type '{kind}'; name {INT8} or {FLOAT32}.")


def encode(descriptors: NDArray[np.float32]) -> NDArray[np.int8]:
    """The codes of descriptors, (n, D) int8. Decoded codes encode to the same codes again."""
    largest = np.abs(descriptors).max(axis=1, keepdims=True, initial=0)
    scale = np.divide(_LARGEST, largest, out=np.zeros_like(largest), where=largest > 0)
    codes: NDArray[np.int8] = np.rint(descriptors * scale).astype(np.int8)
    return codes


def decode(stored: NDArray[np.int8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """The descriptors, (n, D) float32, of stored rows: codes are divided by their norm."""
    if stored.dtype == np.float32:
        return stored.astype(np.float32, copy=False)
    descriptors = stored.astype(np.float32)
    descriptors /= norms(descriptors)[:, None]
    return descriptors


def norms(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The Euclidean norm of each row; 1 in place of 0."""
    lengths = np.sqrt(np.vecdot(codes, codes))
    return np.where(lengths > 0, lengths, np.float32(1))
