"""Precisions: a model's graph in float32 and, where that is measured to lose little, in int8."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from place_search.models.errors import ModelError

if TYPE_CHECKING:
    from place_search.models.card import ModelCard

Precision: TypeAlias = Literal["f32", "int8"]
AskedPrecision: TypeAlias = Literal["auto", "f32", "int8"]

GRAPHS: dict[Precision, tuple[str, ...]] = {
    "f32": ("f32.onnx",),
    "int8": ("int8.xml", "int8.bin"),
}
"""The files of a precision's graph; the first is the one to open."""
MAX_LOSS = 0.5
"""Points of Recall@1 that int8 may lose for `auto` to take it."""

_INSTRUCTIONS = {"amx_int8": "AMX", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI"}
# What ONEDNN_MAX_CPU_ISA leaves of them; its other values leave all.
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
    """How a model's int8 graph was made, and what it was measured to lose.

    `photos` calibrated the ranges of the activations; `photos_sha256` hashes their contents.
    `f32_layers` names what was left in float32. `cosine` is the mean over the photos of `measured`,
    or else over those, between a descriptor in float32 and the same photo's in int8.
    """

    photos: int
    photos_sha256: str
    f32_layers: str
    cosine: float
    measured: Sequence[PrecisionRecall] = ()

    @property
    def loss(self) -> float | None:
        """The most points of Recall@1 that int8 lost in any measurement, or None without one."""
        return max((row.f32 - row.int8 for row in self.measured), default=None)


class Choice(NamedTuple):
    """A precision, and why it was chosen, in words that go on after it."""

    precision: Precision
    reason: str


def choose_precision(
    card: "ModelCard", asked: AskedPrecision, *, instructions: str | None
) -> Choice:
    """The precision to open a model in.

    `auto` is int8 where the card's measured loss is at most `MAX_LOSS` points and the processor has
    `instructions` for it (`int8_instructions`).

    Raises:
        ModelError: int8 is asked for, and the model has no such graph.
    """
    has_int8 = card.quantization is not None and all(name in card.files for name in GRAPHS["int8"])
    if asked == "int8" and not has_int8:
        raise ModelError(
            f"'{card.id}' has no int8 graph; make one with `place-search quantize {card.id} "
            "--photos DIR`, or use --precision f32."
        )
    if asked != "auto":
        return Choice(asked, "as asked")
    if card.quantization is None or not has_int8:
        return Choice("f32", "the model has no int8 graph")
    loss = card.quantization.loss
    if loss is None:
        return Choice("f32", "nobody has measured what int8 loses with this model")
    if loss > MAX_LOSS:
        return Choice("f32", f"int8 was measured to lose {loss:.1f} points of Recall@1")
    if instructions is None:
        return Choice("f32", "this processor has no instructions that make int8 quicker")
    lost = f"loses at most {loss:.1f} points" if loss > 0 else "loses nothing"
    return Choice("int8", f"this processor has {instructions}, and int8 {lost} of Recall@1")


def int8_instructions(flags: Iterable[str] | None = None) -> str | None:
    """The processor's instructions for int8 products, or None; `flags` stands in for its own."""
    known = set(_processor_flags() if flags is None else flags)
    known.intersection_update(_LIMITS.get(os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper(), known))
    return next((name for flag, name in _INSTRUCTIONS.items() if flag in known), None)


def int8_saturates(flags: Iterable[str] | None = None) -> bool:
    """Whether sums of int8 products are cut at 16 bits on this processor, or on one with `flags`.

    x86 processors without `int8_instructions` do that, and give descriptors as far from the others'
    as from float32's. What the instructions are called makes no difference otherwise.
    """
    known = _processor_flags() if flags is None else list(flags)
    return bool(known) and int8_instructions(known) is None


def _processor_flags() -> list[str]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return []
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])
