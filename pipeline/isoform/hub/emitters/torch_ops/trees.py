"""Ensembles of decision trees: every row goes down all trees at once, one level a step."""

from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from isoform.hub.emitters.forest import (
    AVERAGE,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    LESS,
    LESS_EQUAL,
    MEMBER,
    MIN,
    NOT_EQUAL,
    POST_LOGISTIC,
    POST_NONE,
    POST_PROBIT,
    POST_SOFTMAX,
    POST_SOFTMAX_ZERO,
    SUM,
    depth_of,
    members_of,
)
from isoform.hub.emitters.torch_ops.table import Tensor, op
from isoform.hub.emitters.torch_ops.traditional import DOMAIN

_COMPARISONS = {
    LESS_EQUAL: torch.le, LESS: torch.lt, GREATER_EQUAL: torch.ge, GREATER: torch.gt, EQUAL: torch.eq,
    NOT_EQUAL: torch.ne,
}  # fmt: skip


@op("TreeEnsemble", since=5, domain=DOMAIN, is_module=True)
class TreeEnsemble(torch.nn.Module):
    """All trees in one numbering: inner nodes first, then leaves, which lead to themselves; scores out, [n, target].

    Attributes:
        members: for each node what it tests membership of, [node, member], NaN where there is none.
        depth: the most steps from a root to a leaf.
    """

    def __init__(self, name: str, node: ir.Node, bodies: Any) -> None:
        super().__init__()
        self.name = name
        read = _Attributes(node)
        features = read.ints("nodes_featureids")
        self.inner = len(features)
        leaves = np.arange(self.inner, self.inner + len(read.ints("leaf_targetids")))
        if_true, if_false = (np.concatenate([_children(read, side, self.inner), leaves]) for side in ("true", "false"))
        modes, roots = read.array("nodes_modes"), read.ints("tree_roots")
        self.modes = sorted({int(mode) for mode in modes})
        self.depth = depth_of(roots, if_true, if_false)
        self.targets = read.int("n_targets", 1)
        self.aggregate, self.transform = read.int("aggregate_function", SUM), read.int("post_transform", POST_NONE)
        missing = read.ints("nodes_missing_value_tracks_true")
        table = {
            "feature": features, "split": read.array("nodes_splits"), "mode": modes.astype(np.int64), "roots": roots,
            "follows_missing": missing.astype(bool) if len(missing) else np.zeros(self.inner, bool),
            "below": np.stack([if_false, if_true]), "weight": read.array("leaf_weights"),
            "target": read.ints("leaf_targetids"),
            "members": members_of(read.array("membership_values"), modes) if MEMBER in self.modes else np.zeros((1, 1)),
        }  # fmt: skip
        for key, array in table.items():
            self.register_buffer(key, torch.from_numpy(np.array(array)))

    def forward(self, inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        leaf = self._descended(x) - self.inner  # [n, tree]
        value = self.get_buffer("weight")[leaf].to(x.dtype).unsqueeze(2)
        counts = self.get_buffer("target")[leaf].unsqueeze(2) == torch.arange(self.targets, device=x.device)
        return _transformed(_aggregated(value, counts, self.aggregate), self.transform)

    def _descended(self, x: Tensor) -> Tensor:
        """Return the number of the leaf in which each row ends in each tree, [n, tree]."""
        roots, children = self.get_buffer("roots"), self.get_buffer("below")
        at = roots.unsqueeze(0).expand(x.shape[0], -1)
        for _ in range(self.depth):
            node = at.clamp(max=self.inner - 1)  # a leaf compares something and stays where it is
            at = torch.where(self._holds(x, node), children[1][at], children[0][at])
        return at

    def _holds(self, x: Tensor, node: Tensor) -> Tensor:
        """Return whether the comparison of each node [n, tree] holds for its row."""
        value = x.gather(1, self.get_buffer("feature")[node])
        split, mode = self.get_buffer("split").to(x.dtype)[node], self.get_buffer("mode")[node]
        holds = self.get_buffer("follows_missing")[node] & torch.isnan(value)
        for number in self.modes:
            if number == MEMBER:
                outcome = (value.unsqueeze(2) == self.get_buffer("members")[node]).any(2)
            else:
                outcome = _COMPARISONS[number](value, split)
            holds = holds | ((mode == number) & outcome)
        return holds


class _Attributes:
    """The attributes of a node as arrays."""

    def __init__(self, node: ir.Node) -> None:
        self.found = node.attributes

    def ints(self, name: str) -> Any:
        return np.array(self.found[name].as_ints() if name in self.found else [], np.int64)

    def int(self, name: str, default: int) -> int:
        return self.found[name].as_int() if name in self.found else default

    def array(self, name: str) -> Any:
        return self.found[name].as_tensor().numpy()


def _children(read: _Attributes, side: str, inner: int) -> Any:
    number, is_leaf = read.ints(f"nodes_{side}nodeids"), read.ints(f"nodes_{side}leafs")
    return np.where(is_leaf.astype(bool), number + inner, number)


def _aggregated(value: Tensor, counts: Tensor, function: int) -> Tensor:
    """Return [n, target] from values [n, tree, 1] and whether they count for a target [n, tree, target]."""
    if function in (SUM, AVERAGE):
        total = torch.where(counts, value, torch.zeros_like(value)).sum(1)
        return total / value.shape[1] if function == AVERAGE else total
    far = torch.full_like(value, torch.inf if function == MIN else -torch.inf)
    chosen = torch.where(counts, value, far)
    best = chosen.amin(1) if function == MIN else chosen.amax(1)
    return torch.where(counts.any(1), best, torch.zeros_like(best))


def _transformed(scores: Tensor, transform: int) -> Tensor:
    if transform == POST_SOFTMAX:
        return torch.softmax(scores, -1)
    if transform == POST_LOGISTIC:
        return torch.sigmoid(scores)
    if transform == POST_SOFTMAX_ZERO:  # zeros stay zero and are left out of the sum
        powers = torch.exp(scores - scores.amax(-1, keepdim=True)) * (scores != 0)
        return powers / powers.sum(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    if transform == POST_PROBIT:
        return 2**0.5 * torch.special.erfinv(2 * scores - 1)
    return scores
