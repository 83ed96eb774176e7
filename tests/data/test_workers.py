"""The tree over blocks: every item once, in its order, and the same nodes however many processes share them."""

import operator

import pytest
import torch

from experiments.data.workers import Workers, halves, over_tree, part, subtrees, whole
from experiments.errors import DataChanged, UserError


@pytest.mark.parametrize("items", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 16])
def test_what_the_processes_send_is_joined_as_one_process_joins_it(items: int, size: int) -> None:
    def join(left: str, right: str) -> str:
        return f"({left}{right})"

    alone = over_tree((0, items), {(i, i + 1): chr(97 + i) for i in range(items)}, join)
    sent = {}
    for rank in range(size):
        share = Workers(rank, size).share(items)
        sent |= subtrees({i: chr(97 + i) for i in share}, share, items, join)
    assert over_tree((0, items), sent, join) == alone
    assert alone.replace("(", "").replace(")", "") == "abcdefghijklm"[:items]


def test_the_tree_is_pairs_of_neighbours_and_pairs_of_pairs() -> None:
    assert over_tree((0, 5), {(i, i + 1): str(i) for i in range(5)}, lambda a, b: f"({a}{b})") == "(((01)(23))4)"
    assert halves((4, 7)) == ((4, 6), (6, 7))


def test_a_process_sends_one_sum_where_it_has_a_whole_half() -> None:
    assert whole(range(4), (0, 8)) == [(0, 4)]
    assert whole(range(3, 6), (0, 8)) == [(3, 4), (4, 6)]
    assert [len(part(10, i, 4)) for i in range(4)] == [2, 3, 2, 3]


def test_a_sum_goes_over_the_tree_with_zeros_for_what_is_not_there() -> None:
    ones, tiny = torch.ones(2), torch.full((2,), 2.0**-24)
    # one after the other, each tiny number would be lost in 1
    total, word = Workers().summed({0: ones, 2: tiny, 3: tiny}, 5, ones, word=2)
    assert word == 2 and total.tolist() == [1 + 2.0**-23] * 2


def test_what_one_raises_is_raised_for_all_and_its_kind_stays() -> None:
    def fails(error: Exception) -> dict[int, int]:
        raise error

    with pytest.raises(UserError, match="a bad cell"):
        Workers().joined(lambda: fails(UserError("a bad cell")), 4, operator.add)
    with pytest.raises(DataChanged, match="another file"):
        Workers().joined(lambda: fails(DataChanged("another file")), 4, operator.add)
