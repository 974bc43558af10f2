"""Which precision a model is opened in: the one asked for, or what its card and processor allow."""

from typing import NamedTuple, get_args

from place_search.core.settings import AskedPrecision
from place_search.models.card import ModelCard
from place_search.models.errors import ModelError
from place_search.models.precision import Precision

MAX_LOSS = 1.0
"""Points of Recall@1 that int8 may lose on average for `auto` to take it."""


class Choice(NamedTuple):
    """A precision, and why it was chosen, in words that go on after it."""

    precision: Precision
    reason: str


def choose_precision(card: ModelCard, asked: AskedPrecision, *, instructions: str | None) -> Choice:
    """The precision to open a model in.

    `auto` is int8 where the card's measured loss is at most `MAX_LOSS` points and the processor has
    `instructions` for it (`int8_instructions`).

    Raises:
        ModelError: no such precision, or int8 of a model that has no such graph.
    """
    if asked not in get_args(AskedPrecision):
        raise ModelError(
            f"There is no precision '{asked}'; choose one of {', '.join(get_args(AskedPrecision))}."
        )
    if asked == "int8" and not card.has_int8:
        raise ModelError(
            f"'{card.id}' has no int8 graph; make one with `place-search quantize {card.id} "
            "--photos DIR`, or use --precision f32."
        )
    if asked != "auto":
        return Choice(asked, "as asked")
    if card.quantization is None or not card.has_int8:
        return Choice("f32", "the model has no int8 graph")
    loss = card.quantization.loss
    if loss is None:
        return Choice("f32", "nobody has measured what int8 loses with this model")
    if loss > MAX_LOSS:
        return Choice("f32", f"int8 was measured to lose {loss:.1f} points of Recall@1 on average")
    if instructions is None:
        return Choice("f32", "this processor has no instructions that make int8 quicker")
    lost = f"loses {loss:.1f} points of Recall@1 on average" if loss > 0 else "loses nothing"
    return Choice("int8", f"this processor has {instructions}, and int8 {lost}")
