"""--where, --sort, --group-by, --columns: on a table written here; statistics against Python's own."""

import polars as pl
import pytest

from experiments.comparison import choosing
from experiments.comparison.runs_table import Runs
from experiments.errors import UserError

GAPS = [4.0, 1.0, None, 2.0, 1e40]
TABLE = pl.DataFrame(
    {
        "run": list("abcde"), "group": [""] * 5, "optimizer": ["sgd", "sgd", "adam", "adam", "sgd"],
        "optimizer.lr": [0.1, 0.2, 0.1, 0.1, 1.0],
        "optimizer.betas": [None] * 5, "seed": [0, 1, 0, 1, 0], "model.init": ["uniform"] * 5, "data.init": ["x"] * 5,
        "status": ["completed"] * 4 + ["diverged"], "epochs": [9] * 5, "lr": [0.1, 0.2, 0.1, 0.1, 1.0],
        "train_loss": [5.0, 2.0, 7.0, 3.0, 1e40], "validation_loss": [None] * 5, "gap": GAPS,
        "gap_relative": GAPS, "optimum_loss": [1.0] * 5, "seconds": [1.0] * 5, "folder": list("abcde"),
    },
    schema_overrides={"validation_loss": pl.Float64},
)  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("gap < 3", "bd"),
        ("optimizer.lr < 0.15 and optimizer = 'adam'", "cd"),
        ("seed=1 or gap is null", "bcd"),
        ("status like 'div%'", "e"),
        ("run in ('a','b') and not lr = 0.2", "a"),
        ("run = 'optimizer.lr'", ""),  # a name inside a text stays text
        ("group = '' and \"group\" like ''", "abcde"),  # which is a word of SQL
        ("betas is null and init = 'x'", None),  # init is the end of two columns
        ('"optimizer.lr" = 1', "e"),
    ],
)
def test_where(expression: str, runs: str | None) -> None:
    if runs is None:
        with pytest.raises(UserError, match="there is no column init"):
            choosing.where(TABLE, expression)
    else:
        assert "".join(choosing.where(TABLE, expression)["run"]) == runs


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("gpa < 1", "there is no column gpa; did you mean gap?"),
        ("optimizer.lrr < 1", "there is no column optimizer.lrr; did you mean optimizer.lr?"),
        ("status = completed", "a text stands in 'single quotes'"),
        ("gap <", "write an SQL condition"),
        ("", "the condition is empty"),
        ("gap", "must be of type `Boolean`"),
        ("1", "write an SQL condition"),
        ("gap < 'a'", "cannot compare string with numeric"),
        ("read_csv('/etc/passwd') = 1", "unsupported function"),
        ("exists (select 1 from read_csv('/etc/passwd'))", "write an SQL condition"),
        ("1=1; drop table runs", "write an SQL condition"),
        ("run ~ '('", "regex error"),
        ("__import__('os').system('id')", "write an SQL condition"),
        ("'\x1b[31m", "write an SQL condition"),
    ],
)
def test_where_refuses_in_one_line(expression: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        choosing.where(TABLE, expression)
    said = str(refused.value)
    assert words in said and "\n" not in said and "\x1b" not in said


def test_sorted_best_first_and_empty_last() -> None:
    assert "".join(choosing.ordered(TABLE, None)["run"]) == "bdace"  # by the loss, since c has no gap
    assert "".join(choosing.ordered(TABLE, "gap")["run"]) == "bdaec"
    assert "".join(choosing.ordered(TABLE, "gap", reverse=True)["run"]) == "eadbc"
    assert "".join(choosing.ordered(TABLE, "train_loss")["run"]) == "bdace"
    assert "".join(choosing.ordered(TABLE.with_columns(gap=pl.lit(None, pl.Float64)), None)["run"]) == "bdace"


def test_r2_is_sorted_largest_first_and_names_its_targets() -> None:
    table = TABLE.with_columns(pl.Series("r2.apples", [0.5, 0.9, None, -3.0, 0.1]))
    assert "".join(choosing.ordered(table, "r2")["run"]) == "baedc"  # the only target's
    assert "".join(choosing.ordered(table, "r2.apples", reverse=True)["run"]) == "deabc"
    two = table.with_columns(pl.Series("r2.oranges", [1.0] * 5), pl.Series("validation_rmse.apples", [3.0, 1, 2, 5, 4]))
    with pytest.raises(UserError, match=r"^r2: there is no such column, but several .* r2\.apples, r2\.oranges$"):
        choosing.ordered(two, "r2")
    with pytest.raises(UserError, match=r"no column r2, but several that end or begin so: r2\.apples, r2\.oranges"):
        choosing.where(two, "r2 > 0.5")
    assert "".join(choosing.where(table, "r2 > 0.5")["run"]) == "b"
    assert "".join(choosing.ordered(two, "validation_rmse")["run"]) == "bcaed"


@pytest.mark.parametrize(
    ("name", "words"), [("gpa", "did you mean gap"), ("init", "several that end"), ("", "is empty")]
)
def test_an_unknown_column_gets_the_nearest_name(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        choosing.ordered(TABLE, name)


def test_shown_are_the_keys_that_differ_and_what_some_run_has() -> None:
    runs = Runs(TABLE, ["optimizer", "optimizer.lr", "optimizer.betas"])
    shown = choosing.default_columns(runs, TABLE).columns
    assert shown == ["run", "optimizer", "optimizer.lr", "status", "train_loss", "gap", "gap_relative", "seconds"]
    assert choosing.columns(TABLE, "gap, optimizer.lr,gap,").columns == ["gap", "optimizer.lr"]
    for wanted in ("", ",", "gpa"):
        with pytest.raises(UserError):
            choosing.columns(TABLE, wanted)
