"""The keys that vary among a sweep's jobs, and the names that say so."""

import pytest

from experiments.sweeps.compose.overrides import job_name, key_of, varied_keys


@pytest.mark.parametrize(
    ("override", "key"),
    [("seed=1", "seed"), ("+a.b=c=d", "a.b"), ("++x=", "x"), ("~training.patience", "training.patience"),
     ("~a=1", "a")],
)  # fmt: skip
def test_key_of(override: str, key: str) -> None:
    assert key_of(override) == key


def test_what_varies_is_in_the_order_of_the_command_line() -> None:
    batches = [["model=manual", "seed=1", "optimizer.lr=1"], ["model=manual", "seed=2", "optimizer.lr=2"]]
    assert varied_keys(batches) == ["seed", "optimizer.lr"]
    assert varied_keys(batches[:1]) == varied_keys([]) == []


def test_a_name_has_the_number_and_what_varied() -> None:
    assert (
        job_name(12, ["model=manual", "seed=2", "optimizer.lr=1e-3"], ["seed", "optimizer.lr"]) == "12_seed=2_lr=1e-3"
    )
