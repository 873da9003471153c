"""The multi-task ranking model, as trained and as exported."""

import torch
from torch import Tensor, nn

from training.ranker import attention
from training.ranker.attention import HistoryAttention

TASKS = ("click", "conversion", "relevance")
_INFORMED = ("click", "conversion")
EXPERTS, WIDTH, TOWER, DROPOUT = 4, 32, 16, 0.5
# Features of a catalogue never seen must not lie further out than what was trained on.
_FARTHEST = 4.0


class Normaliser(nn.Module):
    """Standardises features by the training set's statistics; one that never varied there is switched off."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        deviation, mean = torch.std_mean(features, dim=0, correction=0)
        varied = deviation > 1e-4
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.where(varied, 1 / deviation.clamp(min=1e-4), 0.0))

    def forward(self, features: Tensor) -> Tensor:
        """Features float32 [n, F] → within ±4, float32 [n, F]."""
        return ((features - self.mean) * self.scale).clamp(-_FARTHEST, _FARTHEST)


class Ranker(nn.Module):
    """Multi-gate mixture of experts with one tower and one linear path per task.

    Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD
    2018. Experts, gates and linear paths see the features and what attention finds in the user's history.
    The linear path (Cheng et al., "Wide & Deep", 2016) keeps the model sensible where no expert was
    trained. Judgments are many, clicks few and purchases fewer: the predicted relevance is an input of the
    other two tasks, and the click's logit one of conversion; no error reaches back through them. Towers
    begin at 0, so that what the linear paths can say is learned first. `forward` returns logits float32 [n]
    by task: of a click when seen, of a purchase after a click, and of relevance.
    """

    def __init__(self, features: Tensor, pairs: Tensor) -> None:
        """`features`: float32 [n, F] and `pairs`: uint8 [n, P, h], the training set, for its statistics."""
        super().__init__()
        self.normalise, self.attention = Normaliser(features), HistoryAttention(pairs)
        width = features.shape[1] + attention.WIDTH
        self.experts = nn.Sequential(nn.Linear(width, EXPERTS * WIDTH), nn.ReLU())
        self.gates = nn.ModuleDict({task: nn.Linear(width, EXPERTS) for task in TASKS})
        self.towers = nn.ModuleDict({task: _tower(DROPOUT if task in _INFORMED else 0.0) for task in TASKS})
        self.wide = nn.ModuleDict({task: _wide(width) for task in TASKS})
        self.from_relevance = nn.ModuleDict({task: _scale(1.0) for task in _INFORMED})
        self.from_click = _scale(0.5)

    def groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the linear paths, those from one task to another, and all others."""
        linear = list(self.wide.parameters())
        between = [*self.from_relevance.parameters(), *self.from_click.parameters()]
        apart = {id(each) for each in (*linear, *between)}
        return linear, between, [each for each in self.parameters() if id(each) not in apart]

    def forward(self, features: Tensor, pairs: Tensor) -> dict[str, Tensor]:
        """Features float32 [n, F] and relations float32 [n, P, h] → logits float32 [n] by task."""
        inputs = torch.cat([self.normalise(features), self.attention(pairs)], dim=1)
        experts = self.experts(inputs).reshape(-1, EXPERTS, WIDTH)
        logits = {task: self._logit(task, inputs, experts) for task in TASKS}
        judged = 4 * torch.sigmoid(logits["relevance"].detach())[:, None] - 2
        for task in _INFORMED:
            logits[task] = logits[task] + self.from_relevance[task](judged).squeeze(1)
        attraction = logits["click"].detach()[:, None]
        logits["conversion"] = logits["conversion"] + self.from_click(attraction).squeeze(1)
        return logits

    def _logit(self, task: str, inputs: Tensor, experts: Tensor) -> Tensor:
        gate = torch.softmax(self.gates[task](inputs), dim=1)
        mixed = (gate.unsqueeze(2) * experts).sum(dim=1)
        logits: Tensor = self.towers[task](mixed) + self.wide[task](inputs)
        return logits.squeeze(1)


def _scale(first: float) -> nn.Linear:
    linear = nn.Linear(1, 1, bias=False)
    nn.init.constant_(linear.weight, first)
    return linear


def _wide(features: int) -> nn.Linear:
    linear = nn.Linear(features, 1)
    nn.init.zeros_(linear.weight)
    return linear


def _tower(dropout: float) -> nn.Module:
    last = nn.Linear(TOWER, 1)
    nn.init.zeros_(last.weight)
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(WIDTH, TOWER), nn.ReLU(), nn.Dropout(dropout), last)


class Examination(nn.Module):
    """How likely a shopper looks at each position, relative to the first: position-based propensities.

    P(click) = P(seen | position) · P(click | seen) (Richardson et al., 2007; Wang et al., WSDM 2018). The
    propensity of position 1 is 1 by definition, and no other is above it. Training only: serving asks for
    P(click | seen).
    """

    def __init__(self, positions: int) -> None:
        super().__init__()
        # By how much the log propensity of each later position falls below the first's: softplus(falls),
        # which begins at 1 / √position.
        first = torch.arange(2, positions + 1).log() / 2
        self.falls = nn.Parameter(torch.log(torch.expm1(first)))

    def forward(self, positions: Tensor) -> Tensor:
        """Positions int64 [n], from 1 → log propensities float32 [n]; beyond the last, the last one's."""
        logs = torch.cat([self.falls.new_zeros(1), -nn.functional.softplus(self.falls)])
        return logs[(positions - 1).clamp(max=len(logs) - 1)]


class ServedRanker(nn.Module):
    """What is exported: the model without positions, its logits as probabilities."""

    def __init__(self, ranker: Ranker) -> None:
        super().__init__()
        self.ranker = ranker

    def forward(self, features: Tensor, pairs: Tensor) -> tuple[Tensor, ...]:
        """Features float32 [n, F], relations float32 [n, P, h] → probabilities float32 [n] by TASKS."""
        logits = self.ranker(features, pairs)
        return tuple(torch.sigmoid(logits[task]) for task in TASKS)
