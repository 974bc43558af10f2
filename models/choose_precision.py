"""Chooses the precision of a model: the requested one, or by its card and the processor."""

from typing import NamedTuple, get_args

from place_search.core.errors import shell_command
from place_search.core.settings import AskedPrecision
from place_search.models.card import ModelCard
from place_search.models.errors import ModelError
from place_search.models.precision import Precision

MAX_LOSS = 1.0
"""The largest mean loss of int8, in points of Recall@1, with which `auto` is int8."""


class Choice(NamedTuple):
    """A precision, and the reason for it, as a clause that follows its name."""

    precision: Precision
    reason: str


def choose_precision(
    card: ModelCard, requested: AskedPrecision, *, instructions: str | None
) -> Choice:
    """The precision to open a model in.

    `auto` is int8 where the card's measured loss is at most `MAX_LOSS` points and the processor has
    `instructions` for it (`int8_instructions`).

    Raises:
        ModelError: no such precision, or int8 of a model without an int8 graph.
    """
    if requested not in get_args(AskedPrecision):
        raise ModelError(
            f"There is no precision '{requested}'; choose one of "
            f"{', '.join(get_args(AskedPrecision))}."
        )
    if requested == "int8" and not card.has_int8:
        raise ModelError(
            f"'{card.id}' has no int8 graph; make one with "
            f"{shell_command('quantize', card.id, '--photos', 'DIR')}, or use --precision f32."
        )
    if card.is_quantized and requested != "int8":
        return Choice("f32", "but its graph was quantised to int8 before its import")
    if requested != "auto":
        return Choice(requested, "as asked")
    if card.quantization is None or not card.has_int8:
        return Choice("f32", "the model has no int8 graph")
    loss = card.quantization.loss
    if loss is None:
        return Choice("f32", "nobody has measured what int8 loses with this model")
    if loss > MAX_LOSS:
        return Choice("f32", f"int8 was measured to lose {loss:.1f} points of Recall@1 on average")
    if instructions is None:
        return Choice("f32", "this processor has no instructions that make int8 quicker")
    effect = f"loses {loss:.1f} points of Recall@1 on average" if loss > 0 else "loses nothing"
    return Choice("int8", f"this processor has {instructions}, and int8 {effect}")
