"""The losses that descriptors are trained with."""

import torch
from torch import Tensor

MARGIN = 0.1
ALPHA, BETA, EPSILON = 1.0, 50.0, 0.1
"""Those of the multi-similarity loss in GSV-Cities (Ali-bey et al., 2022)."""


def triplet_ranking(
    queries: Tensor, positives: Tensor, negatives: Tensor, margin: float = MARGIN
) -> Tensor:
    """Weakly supervised triplet ranking loss (Arandjelović et al., CVPR 2016, eq. 7).

    `queries` (B, D), `positives` (B, P, D) and `negatives` (B, N, D) are descriptors. For each
    query Σ_j max(0, min_i ‖q − p_i‖² + margin − ‖q − n_j‖²): of photos that may show the query's
    place, the nearest one counts. The mean over queries, a number.
    """
    best = (queries[:, None] - positives).square().sum(dim=2).amin(dim=1)
    others = (queries[:, None] - negatives).square().sum(dim=2)
    return (best[:, None] + margin - others).relu().sum(dim=1).mean()


def multi_similarity(
    descriptors: Tensor,
    places: Tensor,
    *,
    base: float = 0.0,
) -> Tensor:
    """Multi-similarity loss over a batch of places (Wang et al., CVPR 2019, eq. 10 and 13–15).

    `descriptors` (N, D) are of L2 norm 1, `places` (N,) says which belong together. Of each
    photo's pairs those are left out that are easier by `EPSILON` than the hardest of the other
    kind. The mean over photos.
    """
    similarities = descriptors @ descriptors.T
    same = places[:, None] == places[None]
    right = same & ~torch.eye(len(places), dtype=torch.bool, device=places.device)
    wrong = ~same
    least = similarities.detach().masked_fill(~right, torch.inf).amin(dim=1, keepdim=True)
    most = similarities.detach().masked_fill(~wrong, -torch.inf).amax(dim=1, keepdim=True)
    pulled = right & (similarities.detach() - EPSILON < most)
    pushed = wrong & (similarities.detach() + EPSILON > least)
    pull = _log1p_sum_exp(-ALPHA * (similarities - base), pulled) / ALPHA
    push = _log1p_sum_exp(BETA * (similarities - base), pushed) / BETA
    return (pull + push).mean()


def _log1p_sum_exp(values: Tensor, kept: Tensor) -> Tensor:
    """log(1 + Σ exp) over the values of each row that are kept."""
    values = values.masked_fill(~kept, -torch.inf)
    return torch.cat([torch.zeros_like(values[:, :1]), values], dim=1).logsumexp(dim=1)
