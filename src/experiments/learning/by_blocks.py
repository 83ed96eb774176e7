"""The update from a batch that several processes share: each has the gradients of its own blocks, a tree sums all.

Of each block two sums over its rows are sent: the gradient of the loss, and the rows' weights (one each, or their
classes'). The quotient of the totals is the gradient of the batch's mean loss, with the same bits in every process.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from experiments.data.workers import Share, Workers
from experiments.errors import UserError
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.models import Analytic, is_linear
from experiments.learning.networks import BASES, Dropout
from experiments.learning.penalty import Penalized, penalized

SharedUpdate = Callable[[Share, int], int]
"""Updates the weights from this process's part of a batch; takes a number of its own, gives the largest of all."""


def by_blocks(model: Any, loss: Any, optimizer: Any, workers: Workers) -> SharedUpdate:
    """The update of a model. Raises UserError for one whose buffers change while it trains, as batch norm's do."""
    dropouts = _dropouts(model)
    parameters = [p for p in model.parameters() if p.requires_grad or isinstance(model, Analytic)]
    optimizer = Penalized(optimizer, model, loss) if penalized(loss) else optimizer
    sizes = [p.numel() for p in parameters]
    like = parameters[0].detach().new_empty(sum(sizes) + 1)
    drawing = not (is_linear(model) or isinstance(model, BASES))

    def gradient(x: Tensor, y: Tensor) -> Tensor:
        prediction = model(x)
        if isinstance(model, Analytic):
            model.backward(x, loss.gradient(prediction, y))
        else:
            loss(prediction, y).backward()
        weighted = isinstance(loss, CrossEntropy) and loss.weight
        rows = loss.row_weights(prediction.detach(), y).sum() if weighted else like.new_tensor(len(x))
        # what no output depends on has no gradient
        parts = [like.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters]
        found = torch.cat([*parts, rows.to(like.dtype)[None]])
        found[:-1] *= rows
        optimizer.zero_grad()
        return found

    def update(share: Share, word: int) -> int:
        steps = [int(d.step) for d in dropouts]
        own = {}
        for i, (x, y) in share.pieces.items():
            if drawing:  # the same draws whoever has the block
                torch.manual_seed(share.seed + i)
            for dropout, step in zip(dropouts, steps, strict=True):
                dropout.step.fill_(step + i)
            own[i] = gradient(x, y)
        total, word = workers.summed(own, share.blocks, like, word)
        for dropout, step in zip(dropouts, steps, strict=True):
            dropout.step.fill_(step + share.blocks)
        for p, part in zip(parameters, (total[:-1] / total[-1]).split(sizes), strict=True):
            p.grad = part.view_as(p)
        optimizer.step()
        optimizer.zero_grad()
        return word

    return update


def _dropouts(model: Any) -> list[Dropout]:
    """The layers of ours that count their draws."""
    if not isinstance(model, nn.Module):
        return []
    found = [part for part in model.modules() if isinstance(part, Dropout)]
    own = {id(b) for part in found for b in part.buffers()}
    if changing := [name for name, buffer in model.named_buffers() if id(buffer) not in own]:
        raise UserError(
            f"data.batch_blocks: the model keeps {changing[0]} beside its weights, which each process would change by "
            "itself; use a model without (no batch norm), or data.batch_blocks=null without torchrun"
        )
    return found
