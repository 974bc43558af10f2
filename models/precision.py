"""Precisions of a model's graph: float32, and int8 where its measured loss is small."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["f32", "int8"]

GRAPHS: dict[Precision, tuple[str, ...]] = {
    "f32": ("f32.onnx",),
    "int8": ("int8.xml", "int8.bin"),
}
"""The files of a precision's graph; the first is the one to open."""

F32_IR = ("f32.xml", "f32.bin")
"""The files of the float32 graph of a model that was imported as a graph."""

_INSTRUCTIONS = {"amx_int8": "AMX", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI"}
# The instructions that values of ONEDNN_MAX_CPU_ISA leave; other values leave all.
_LIMITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("SSE41", "AVX", "AVX2", "AVX512_CORE"), ()),
    **dict.fromkeys(("AVX2_VNNI", "AVX2_VNNI_2"), ("avx_vnni",)),
    **dict.fromkeys(
        ("AVX512_CORE_VNNI", "AVX512_CORE_BF16", "AVX512_CORE_FP16"), ("avx512_vnni", "avx_vnni")
    ),
}


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Recall@1 of one evaluation in per cent, in float32 and in int8; `verified` is by geometry."""

    dataset: str
    verified: bool
    f32: float
    int8: float


@dataclass(frozen=True, slots=True)
class Quantization:
    """The making of a model's int8 graph, and its measured loss.

    `photos` is the number of photos that calibrated the ranges of activations, with `views` most of
    them altered to night or another day; `photos_sha256` hashes their contents. `f32_layers` names
    the layers left in float32. `cosine` is the mean cosine between a photo's descriptors in float32
    and int8, over some of the calibration photos. `measured` are the recalls of both precisions.
    """

    photos: int
    photos_sha256: str
    f32_layers: str
    cosine: float
    measured: Sequence[PrecisionRecall] = ()
    views: bool = False

    @property
    def loss(self) -> float | None:
        """The points of Recall@1 that int8 loses, None if not measured.

        It is the mean over the data sets, plain or verified, whichever is larger: on a single set
        of 200 queries recall moves by 1.5 points with any small change of the numbers.
        """
        kinds = [
            [row.f32 - row.int8 for row in self.measured if row.verified is verified]
            for verified in (False, True)
        ]
        return max((sum(losses) / len(losses) for losses in kinds if losses), default=None)


def int8_instructions(flags: Iterable[str] | None = None) -> str | None:
    """The processor's instructions for int8 products, or None; `flags` replace its own flags."""
    supported = set(_processor_flags() if flags is None else flags)
    supported.intersection_update(
        _LIMITS.get(os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper(), supported)
    )
    return next((name for flag, name in _INSTRUCTIONS.items() if flag in supported), None)


def int8_saturates(flags: Iterable[str] | None = None) -> bool:
    """Whether sums of int8 products saturate at 16 bits on this processor, or on one with `flags`.

    They do on x86 processors without `int8_instructions`, whose descriptors differ from other
    processors' as much as from float32's. Which instructions a processor has does not matter else.
    """
    supported = _processor_flags() if flags is None else list(flags)
    return bool(supported) and int8_instructions(supported) is None


def _processor_flags() -> list[str]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return []
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])
