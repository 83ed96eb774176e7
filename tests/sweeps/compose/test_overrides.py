"""The keys of overrides, and the names of jobs' folders."""

import pytest

from experiments.sweeps.compose.overrides import job_name, key_of


@pytest.mark.parametrize(
    ("override", "key"),
    [("seed=1", "seed"), ("+a.b=c=d", "a.b"), ("++x=", "x"), ("~training.patience", "training.patience"),
     ("~a=1", "a")],
)  # fmt: skip
def test_key_of(override: str, key: str) -> None:
    assert key_of(override) == key


def test_a_name_has_the_number_and_what_varied() -> None:
    assert (
        job_name(12, ["model=manual", "seed=2", "optimizer.lr=1e-3"], ["seed", "optimizer.lr"]) == "12_seed=2_lr=1e-3"
    )
