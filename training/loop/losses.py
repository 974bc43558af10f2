"""The losses for training descriptors."""

import torch
from torch import Tensor

MARGIN = 0.1
ALPHA, BETA, EPSILON = 1.0, 50.0, 0.1
"""The parameters of the multi-similarity loss in GSV-Cities (Ali-bey et al., 2022)."""


def triplet_ranking(
    queries: Tensor, positives: Tensor, negatives: Tensor, margin: float = MARGIN
) -> Tensor:
    """Weakly supervised triplet ranking loss (Arandjelović et al., CVPR 2016, eq. 7).

    `queries` (B, D), `positives` (B, P, D) and `negatives` (B, N, D) are descriptors. For each
    query Σ_j max(0, min_i ‖q − p_i‖² + margin − ‖q − n_j‖²): of the photos that may show the
    query's place, the nearest counts. Returns the mean over queries.
    """
    best = (queries[:, None] - positives).square().sum(dim=2).amin(dim=1)
    distances = (queries[:, None] - negatives).square().sum(dim=2)
    return (best[:, None] + margin - distances).relu().sum(dim=1).mean()


def multi_similarity(
    descriptors: Tensor,
    places: Tensor,
    *,
    base: float = 0.0,
) -> Tensor:
    """Multi-similarity loss over a batch of places (Wang et al., CVPR 2019, eq. 10 and 13–15).

    `descriptors` (N, D) are of L2 norm 1, `places` (N,) are the numbers of their places. A photo's
    pairs that are easier by `EPSILON` than the hardest pair of the other kind are left out. Returns
    the mean over photos.
    """
    similarities = descriptors @ descriptors.T
    is_same = places[:, None] == places[None]
    is_positive = is_same & ~torch.eye(len(places), dtype=torch.bool, device=places.device)
    is_negative = ~is_same
    hardest_positive = (
        similarities.detach().masked_fill(~is_positive, torch.inf).amin(dim=1, keepdim=True)
    )
    hardest_negative = (
        similarities.detach().masked_fill(~is_negative, -torch.inf).amax(dim=1, keepdim=True)
    )
    pulled = is_positive & (similarities.detach() - EPSILON < hardest_negative)
    pushed = is_negative & (similarities.detach() + EPSILON > hardest_positive)
    pull = _log1p_sum_exp(-ALPHA * (similarities - base), pulled) / ALPHA
    push = _log1p_sum_exp(BETA * (similarities - base), pushed) / BETA
    return (pull + push).mean()


def _log1p_sum_exp(values: Tensor, mask: Tensor) -> Tensor:
    """log(1 + Σ exp) over the values of each row that the mask keeps."""
    values = values.masked_fill(~mask, -torch.inf)
    return torch.cat([torch.zeros_like(values[:, :1]), values], dim=1).logsumexp(dim=1)
