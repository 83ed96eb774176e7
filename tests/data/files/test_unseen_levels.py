"""What only rows for the test, or for validation, have: a level of a column, a label."""

import logging
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.__main__ import main
from experiments.data import splitting
from experiments.data.prepared import Preparation
from experiments.data.sources.table import Table
from experiments.errors import UserError

ROWS = 40
KEYS: Any = {"path": "t.csv", "targets": ["y"], "one_hot": ["city"], "test": 0.25}
TESTED = np.flatnonzero(splitting.tested_rows(Table(**KEYS), np.zeros(ROWS, np.int64), None))


def written(city: list[str], **more: Any) -> None:
    pl.DataFrame({"a": range(ROWS), "city": city, "y": [3 * i + 1 for i in range(ROWS)], **more}).write_csv("t.csv")


@pytest.fixture
def city() -> list[str]:
    return ["AB"[i % 3 % 2] for i in range(ROWS)]


@pytest.mark.parametrize(("alien", "missing"), [("Rome", "error"), ("", "level")])
def test_a_level_of_the_test_alone_is_no_input_and_its_rows_are_left_out(
    alien: str, missing: str, city: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    written(city)
    plain = Table(**KEYS, missing=missing).load()
    city[TESTED[0]] = city[TESTED[3]] = alien
    written(city)
    with caplog.at_level(logging.WARNING):
        found = Table(**KEYS, missing=missing).load()
    assert "2 of 10 rows of the test have a level that no other row has, and are left out of it" in caplog.text
    assert found.features == plain.features == ("a", "city=B") and found.x.equal(plain.x)
    assert found.test is not None
    assert found.test.x[:, 0].tolist() == [i for k, i in enumerate(TESTED.tolist()) if k not in (0, 3)]


def test_a_test_without_any_other_row_is_refused(city: list[str]) -> None:
    written([f"L{i}" if i in TESTED else level for i, level in enumerate(city)])
    with pytest.raises(UserError, match=r"^data\.test=0\.25: 10 of 10 rows of the test have a level that no other row"):
        Table(**KEYS).load()


def test_a_level_of_rows_held_out_alone_is_told(city: list[str], caplog: pytest.LogCaptureFixture) -> None:
    held = [i in (3, 5) for i in range(ROWS)]
    written(["Rome" if h else level for level, h in zip(city, held, strict=True)], held=held)
    with caplog.at_level(logging.WARNING):
        found = Table(**KEYS | {"test": 0.0}, validation_column="held").load()
    assert "no training row has city=Rome, only rows held out do: what it weighs is not learned" in caplog.text
    assert found.features == ("a", "city=B", "city=Rome")


def test_a_label_of_the_test_alone_is_one_line(city: list[str]) -> None:
    labels, keys = list(city), {**KEYS, "targets": ["city"], "one_hot": None}
    for row in range(ROWS):  # the test has rows of each class, so which ones depends on the labels
        labels = [*city[:row], "AA", *city[row + 1 :]]
        if splitting.tested_rows(Table(**keys), np.unique(labels, return_inverse=True)[1], None)[row]:
            break
    written(labels)
    with pytest.raises(
        UserError, match=r"^data\.targets: no training row has the class AA of city, only rows held out"
    ):
        Table(**keys).prepared(Preparation(labels=True))


def test_the_command_says_how_many_rows_the_test_has_left(city: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    city[TESTED[0]] = "Rome"
    written(city)
    words = ["data.path=t.csv", "data.targets=[y]", "data.one_hot=[city]", "data.test=0.25", "optimizer.lr=1e-4"]
    assert main(["data=table", *words, "training.epochs=2", "tracking.figures=false"]) == 0
    assert "1 of 10 rows of the test have a level" in capsys.readouterr().err
    assert main(["test", "last"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("9 rows") and "1 of 10 rows of the test have a level" in said.err
