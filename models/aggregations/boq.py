"""A bag of learnt queries (Ali-bey, Chaib-draa & Giguère, CVPR 2024)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from place_search.models.layers import SizedAggregation

HEAD = 64
"""The number of channels of an attention head."""


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al., NeurIPS 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, features: Tensor) -> Tensor:
        """(N, q, W) queries and (N, n, W) features to (N, q, W)."""
        heads = (
            part.unflatten(2, (-1, HEAD)).transpose(1, 2)
            for part in (self.query(queries), self.key(features), self.value(features))
        )
        attended = functional.scaled_dot_product_attention(*heads)
        answer: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return answer


class Block(nn.Module):
    """Self-attention of features, and cross-attention of learnt queries to them.

    `queries` are already the output of the queries' own attention, which does not depend on photos.
    """

    def __init__(self, width: int, hidden: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(1, queries, width))
        self.attention = Attention(width)
        self.attended = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.refined = nn.LayerNorm(width)
        self.search = Attention(width)
        self.found = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, n, W) features to the same, refined, and (N, q, W) answers to the queries."""
        features = self.attended(features + self.attention(features, features))
        hidden = functional.relu(self.widen(features))
        features = self.refined(features + self.narrow(hidden))
        queries = self.queries.expand(features.shape[0], -1, -1)
        return features, self.found(self.search(queries, features))


class BoQ(SizedAggregation):
    """A sequence of blocks, and a linear layer across the answers to all their queries."""

    name = "boq"
    of_unit_features = False

    def __init__(
        self, channels: int, *, width: int, hidden: int, blocks: int, queries: int, rows: int
    ) -> None:
        super().__init__(
            channels, width=width, hidden=hidden, blocks=blocks, queries=queries, rows=rows
        )
        self.fewer_channels = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, hidden, queries) for _ in range(blocks))
        self.rows = nn.Linear(blocks * queries, rows)

    @property
    def dims(self) -> int:
        """The length of the descriptor, width × rows."""
        return self.sizes["width"] * self.sizes["rows"]

    @property
    def in_words(self) -> str:
        """The name, and the number of queries."""
        return f"BoQ, {self.rows.in_features} queries"

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) local features to (N, width · rows) descriptors."""
        x = self.norm(self.fewer_channels(features).flatten(2).transpose(1, 2))
        answers = []
        for block in self.blocks:
            x, answer = block(x)
            answers.append(answer)
        rows = self.rows(torch.cat(answers, dim=1).transpose(1, 2))
        return functional.normalize(rows.flatten(1), dim=1)


AGGREGATION = BoQ
