"""The one metric that runs are ranked by where none is named."""

from typing import Any

import pytest

from experiments.stored.ranking import default_metric, larger_is_better

BOTH = {"status": "completed", "validation_loss": 2.0, "gap": 1.0, "train_loss": 3.0}
GAP = BOTH | {"validation_loss": None}
LOSS = GAP | {"gap": None}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([BOTH, BOTH | {"status": "stopped_early"}], "validation_loss"),
        ([BOTH, GAP], "gap"),  # one without held-out rows can't be ranked by them
        ([LOSS, GAP], "train_loss"),  # which orders runs of one loss and data set as a gap does
        ([LOSS, LOSS], "train_loss"),
        ([BOTH, GAP | {"status": "diverged"}, LOSS | {"status": "failed"}], "validation_loss"),
        ([LOSS, BOTH | {"status": "diverged"}], "train_loss"),
        ([GAP | {"status": "unfinished"}], "gap"),
        ([], "train_loss"),
    ],
)
def test_validation_loss_where_all_have_it_else_gap_else_the_training_loss(
    runs: list[dict[str, Any]], expected: str
) -> None:
    assert default_metric(runs) == expected
    assert default_metric(reversed(runs)) == expected


@pytest.mark.parametrize("name", ["r2", "r2.apples", "validation_r2.b", "accuracy", "validation_macro_f1", "roc_auc"])
def test_of_these_more_is_better(name: str) -> None:
    assert larger_is_better(name)


@pytest.mark.parametrize("name", ["rmse.r2", "gap", "log_loss", "validation_log_loss", "validation_loss", "steps"])
def test_of_these_less_is(name: str) -> None:
    assert not larger_is_better(name)
