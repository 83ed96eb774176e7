"""The processes that share a stream, each with its part of the blocks, and the one tree that joins what they found.

The tree is over blocks by their place, never over processes: pairs of neighbours, pairs of pairs, and so on. So a sum
has the same bits however many processes there are. Without torchrun there is one process, and nothing is sent.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from experiments.errors import DataChanged, Failure, UserError

Item = TypeVar("Item")
Node = tuple[int, int]
"""The items from the first number up to, not including, the second."""


class WorkerLost(DataChanged):
    """Another process of the run has ended: what the run has so far is kept, to be resumed."""


@dataclass(frozen=True)
class Workers:
    """How many processes there are, and which of them this is."""

    rank: int = 0
    size: int = 1

    def share(self, items: int) -> range:
        """Which of so many items, in their order, are this process's."""
        return part(items, self.rank, self.size)

    def joined(self, own: Callable[[], Mapping[int, Item]], items: int, join: Callable[[Item, Item], Item]) -> Item:
        """All items joined over the tree; `own` gives those of this process's share. Raises what any one raises."""
        every = self.agreed(lambda: subtrees(own(), self.share(items), items, join))
        return over_tree((0, items), {node: item for found in every for node, item in found.items()}, join)

    def summed(self, own: Mapping[int, Tensor], items: int, like: Tensor, word: int) -> tuple[Tensor, int]:
        """The sum of tensors over the tree, and the largest of the processes' words. Raises WorkerLost.

        `like`: a tensor of their size, device and type. An item that nobody has counts as zeros.
        """
        share = self.share(items)
        missing = {i: torch.zeros_like(like) for i in share if i not in own}
        found = subtrees({**missing, **own}, share, items, torch.add)
        if self.size > 1:
            width = like.numel()
            nodes = [whole(part(items, rank, self.size), (0, items)) for rank in range(self.size)]
            sent = like.new_zeros(1 + max(map(len, nodes)) * width)
            sent[0] = word
            for i, node in enumerate(nodes[self.rank]):
                sent[1 + i * width : 1 + (i + 1) * width] = found[node]
            got = [torch.empty_like(sent) for _ in range(self.size)]
            with _lost_is_told():
                dist.all_gather(got, sent)
            word = int(torch.stack([parts[0] for parts in got]).max())
            found = {
                node: parts[1 + i * width : 1 + (i + 1) * width]
                for parts, of in zip(got, nodes, strict=True)
                for i, node in enumerate(of)
            }
        return over_tree((0, items), found, torch.add), word

    def everyones(self, own: Item) -> list[Item]:
        """What each process has, in their order. Raises WorkerLost."""
        if self.size == 1:
            return [own]
        every: list[Any] = [None] * self.size
        with _lost_is_told():
            dist.all_gather_object(every, own)
        return every

    def agreed(self, work: Callable[[], Item]) -> list[Item]:
        """What each process's work gives. Raises what it raised in the first of them."""
        try:
            own: Any = work()
        except (UserError, Failure) as error:
            own = error
        every = self.everyones(own)
        for found in every:
            if isinstance(found, UserError | Failure):
                raise found
        return every

    def require_alike(self, facts: Mapping[str, object]) -> None:
        """Raise UserError in all processes where one of them does not begin as the first does."""
        first, *others = self.everyones(facts)
        for rank, found in enumerate(others, 1):
            for name, value in found.items():
                if value != first[name]:
                    raise UserError(
                        f"process {rank} of torchrun begins with {name} {value}, process 0 with {first[name]}; all "
                        "must see the same table and the same outputs folder"
                    )


@dataclass(frozen=True)
class Share:
    """This process's part of a batch."""

    pieces: dict[int, tuple[Tensor, Tensor]]
    """x (n, features) and y (n, targets) by the place of their block in its set."""
    blocks: int
    """How many blocks the set has."""
    seed: int
    """What is drawn for the batch is drawn from this, and from a block's place."""


@contextmanager
def _lost_is_told() -> Iterator[None]:
    """The backend's word that a process is gone, as WorkerLost."""
    try:
        yield
    except RuntimeError as error:
        raise WorkerLost("another process of torchrun has ended") from error


def joined_workers() -> Workers:
    """The processes that have joined, or this one alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return Workers()
    return Workers(dist.get_rank(), dist.get_world_size())


def part(items: int, i: int, parts: int) -> range:
    """The i-th of so many parts of neighbouring items, about alike in size."""
    return range(i * items // parts, (i + 1) * items // parts)


def halves(node: Node) -> tuple[Node, Node]:
    """A node's two parts: the first has the largest power of two items that leaves some for the second."""
    first, end = node
    middle = first + 2 ** ((end - first - 1).bit_length() - 1)
    return (first, middle), (middle, end)


def whole(share: range, node: Node) -> list[Node]:
    """The largest nodes below `node` whose items are all in the share."""
    first, end = node
    if end <= share.start or share.stop <= first:
        return []
    if share.start <= first and end <= share.stop:
        return [node]
    left, right = halves(node)
    return whole(share, left) + whole(share, right)


def subtrees(own: Mapping[int, Item], share: range, items: int, join: Callable[[Item, Item], Item]) -> dict[Node, Item]:
    """What a share's items come to in each of its largest nodes."""
    leaves = {(i, i + 1): item for i, item in own.items()}
    return {node: over_tree(node, leaves, join) for node in whole(share, (0, items))}


def over_tree(node: Node, known: Mapping[Node, Item], join: Callable[[Item, Item], Item]) -> Item:
    """What a node's items come to, from what some nodes below it do."""
    if node in known:
        return known[node]
    left, right = halves(node)
    return join(over_tree(left, known, join), over_tree(right, known, join))
