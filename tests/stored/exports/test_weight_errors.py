"""standard_errors() of runs: in the table's units whatever was trained on, said in the card, refused in one line."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats
from sklearn.datasets import load_diabetes

from experiments import load_run, run
from experiments.errors import UserError
from tests.exact.test_standard_errors import BSE, HC3, INTERVALS
from tests.support.exported import QUICK

STREAM = ("data=stream", "data.path=rows.parquet", "data.targets=[y]", "data.block_rows=64")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    monkeypatch.chdir(tmp_path)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    frame = pl.DataFrame({f"x{j}": column for j, column in enumerate(np.asarray(x).T)} | {"y": np.asarray(y)})
    frame.write_parquet("rows.parquet", row_group_size=100)
    return frame


@pytest.mark.parametrize("words", [("data=diabetes",), ("data=diabetes", "data.standardize=true"), STREAM])
def test_a_run_and_the_stored_run_have_those_of_statsmodels(words: tuple[str, ...], rows: pl.DataFrame) -> None:
    result = run(*QUICK, *words, "optimizer.lr=1e-6")
    found = result.standard_errors()
    assert_frame_equal(found, load_run("last").standard_errors(), rel_tol=1e-10)
    assert found["se"].to_numpy() == pytest.approx(BSE, rel=1e-9)
    assert found["robust_se"].to_numpy() == pytest.approx(HC3, rel=1e-9)
    assert found.select("low", "high").to_numpy() == pytest.approx(np.array(INTERVALS), rel=1e-9)
    reach = stats.t(431).ppf(0.975) * np.array(HC3)
    assert (found["robust_high"] - found["optimum"]).to_numpy() == pytest.approx(reach, rel=1e-9)
    assert result.parameters is not None and result.optimum is not None
    for name, of in (("trained", result.parameters), ("optimum", result.optimum)):
        assert found[name].to_list() == pytest.approx([*of["weight"][0], *of["bias"]], rel=1e-9)


def test_the_card_shows_them_and_says_whose_they_are() -> None:
    result = run(*QUICK)
    card, found = result.card(), result.standard_errors()
    assert found["target"].to_list() == ["apples"] * 4 + ["oranges"] * 4
    first = found.row(0, named=True)
    said = f"{first['se']:.6g} | {first['low']:.6g} to {first['high']:.6g} | {first['robust_low']:.6g} to "
    assert said in card and "| apples | (intercept) |" in card
    assert "those of the optimum of least squares" in card
    assert "## Weights" not in run(*QUICK, "model=mlp").card()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss.l2=1"], "only least squares has them here, loss=mse without l1 and l2"),
        (["loss=huber"], "only least squares has them here, loss=mse without l1 and l2"),
        (["data=iris", "loss=cross_entropy"], "only linear models that predict numbers have them here"),
        (["model=mlp"], "only linear models that predict numbers have them here"),
    ],
)
def test_other_runs_have_none_and_say_so(words: list[str], said: str) -> None:
    result = run(*QUICK, *words)
    with pytest.raises(UserError, match=f"^standard errors: {said}$"):
        result.standard_errors()
    assert ("Standard errors: only least" in result.card()) == ("least" in said)


def test_a_table_that_changed_or_is_gone_is_told(rows: pl.DataFrame) -> None:
    run(*QUICK, *STREAM, "optimizer.lr=1e-6")
    (rows * 2).write_parquet("rows.parquet")
    with pytest.raises(UserError, match="was trained on other rows than its table has now"):
        load_run("last").standard_errors()
    Path("rows.parquet").unlink()
    with pytest.raises(UserError, match=r"rows\.parquet"):
        load_run("last").standard_errors()
    assert "Standard errors" not in load_run("last").card() and "rows.parquet" in load_run("last").card()
