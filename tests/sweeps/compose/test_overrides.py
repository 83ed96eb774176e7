"""The keys of overrides."""

import pytest

from experiments.sweeps.compose.overrides import key_of


@pytest.mark.parametrize(
    ("override", "key"),
    [("seed=1", "seed"), ("+a.b=c=d", "a.b"), ("++x=", "x"), ("~training.patience", "training.patience"),
     ("~a=1", "a")],
)  # fmt: skip
def test_key_of(override: str, key: str) -> None:
    assert key_of(override) == key
