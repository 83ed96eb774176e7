"""compare --group-by and --band as a picture and a page: mean curves with a band, of searches the best of n."""

from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest

from benchmarks.stored_runs import write_runs
from experiments.__main__ import main
from experiments.comparison.curves import curve_of
from experiments.comparison.groups.gathered import Groups, gather
from experiments.comparison.groups.page import page
from experiments.comparison.groups.picture import figure
from experiments.comparison.groups.table import Grouping, grouped
from experiments.comparison.groups.trials import in_runs
from experiments.comparison.runs_table import Runs, collect
from tests.support.browsing import Browser

MODELS = "[...Bokeh.documents[0]._all_models.values()]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Ten rates, four seeds each."""
    folder = tmp_path_factory.mktemp("groups")
    write_runs(folder, 40, epochs=6)
    return collect([folder])


def gathered(runs: Runs, by: Grouping, table: pl.DataFrame | None = None) -> tuple[Groups, pl.DataFrame]:
    table = runs.table if table is None else table
    shown = grouped(runs, table, by)
    (kind,), notes = gather(runs, table, shown, by)
    assert notes == ["mean curves are not drawn of a search's runs, but the best of n trials is"] * (
        kind.searched and by.band is not None
    )
    return kind, shown


def test_a_curve_is_the_mean_of_its_runs_losses_with_their_deviation(runs: Runs) -> None:
    kind, shown = gathered(runs, Grouping(["optimizer.lr"], "mean", "std"))
    assert [group.at[0] for group in kind.groups] == shown["optimizer.lr"].to_list()
    group = kind.groups[3]
    own = runs.table.filter(pl.col("optimizer.lr") == group.at[0])["folder"]
    losses = np.array([curve_of(folder)[1] for folder in own])
    assert group.curve is not None and group.curve.x.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(group.curve.centre, losses.mean(0))
    np.testing.assert_allclose(group.curve.high - group.curve.low, 2 * losses.std(0, ddof=1))
    assert group.legend == f"lr={group.at[0]:.6g}: 4 seeds"


def test_what_diverged_is_in_no_curve_and_what_ended_early_keeps_its_last_loss(runs: Runs) -> None:
    first = runs.table["optimizer.lr"][0]
    table = runs.table.filter(pl.col("optimizer.lr") == first)
    lost = table.with_columns(status=pl.Series(["diverged", *["completed"] * 3]))
    group = gathered(runs, Grouping(["optimizer.lr"], "median"), lost)[0].groups[0]
    losses = [curve_of(folder)[1] for folder in table["folder"][1:]]
    assert group.curve is not None and group.legend.endswith(": 3 seeds, 1 lost")
    np.testing.assert_allclose(group.curve.centre, np.median(losses, axis=0))
    short = Path(table["folder"][3]) / "metrics.jsonl"
    whole = short.read_bytes()
    try:
        short.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
        losses[2] = np.concatenate([losses[2][:2], [losses[2][1]] * 4])
        group = gathered(runs, Grouping(["optimizer.lr"], "mean"), lost)[0].groups[0]
        assert group.curve is not None
        np.testing.assert_allclose(group.curve.centre, np.mean(losses, axis=0))
    finally:
        short.write_bytes(whole)


def test_the_picture_has_a_line_and_a_band_for_each_group_and_the_final_metric(runs: Runs) -> None:
    kind, _ = gathered(runs, Grouping(["optimizer.lr"], "mean", "interval"))
    drawn = figure([kind])
    curves, final = drawn.axes
    assert len(curves.lines) == len(curves.collections) == 10
    assert curves.get_title() == "training loss, mean and 95 % interval"
    legend = curves.get_legend()
    assert legend is not None and "lr=1e-05: 4 seeds" in [text.get_text() for text in legend.get_texts()]
    assert final.get_title() == "final gap, mean over 4 seeds"
    for number in range(2):
        low, high = curves.collections[number].get_paths()[0].get_extents().intervaly
        assert low == pytest.approx(kind.curves[number].low.min()) and high == kind.curves[number].high.max()


def test_more_groups_than_colours_are_said(runs: Runs) -> None:
    kind, _ = gathered(runs, Grouping(["optimizer.lr", "seed"], "mean", "sem"))
    assert len(kind.groups) == 10 and kind.title.endswith("; the first 10 of 40 groups")


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "s"
    words = ["optimizer.lr=interval(1e-6,1e-4)", "optimizer.momentum=choice(0,0.5)", "training.epochs=9"]
    words += ["search.trials=30", "search.confirm=2", "search.pruner=halving", "search.min_epochs=3"]
    assert main(["-m", "hydra/sweeper=search", *words, f"hydra.sweep.dir={folder}"]) == 0
    return folder


def test_of_a_search_the_best_of_n_counts_what_was_pruned(search: Path) -> None:
    runs = collect([search])
    kind, _ = gathered(runs, Grouping(["optimizer.momentum"]))
    study = pl.read_csv(search / "study.csv", infer_schema_length=None)
    assert kind.measure == "gap" and kind.swept is None and kind.searched
    for group in kind.groups:
        own = study.filter(pl.col("optimizer.momentum").cast(pl.Float64) == group.at[0])
        worth = own.filter(status="complete")["gap"]
        assert group.curve is not None and group.curve.expected is not None
        assert group.curve.x[-1] == own.height > len(worth)
        assert group.curve.high[-1] == group.curve.expected[-1] == worth.min()
        assert group.legend.endswith(f": {own.height} trials, {own.height - len(worth)} without a result")
    assert len(figure([kind]).axes) == 1


def test_where_the_searchs_table_does_not_tell_its_runs_do(search: Path) -> None:
    runs = collect([search])
    by = Grouping(["optimizer.momentum"])
    table = runs.table.filter((pl.col("status") == "completed") & (pl.col("optimizer.momentum") == 0))
    (kind,), notes = gather(runs, table, grouped(runs, table, by), by)
    assert len(notes) == 1 and "only those are counted that left a run" in notes[0]
    tried = table.filter(~pl.col("folder").str.contains("/confirm/"))
    (curve,) = kind.curves
    assert curve.x[-1] == tried.height and curve.expected is not None
    assert curve.expected[-1] == pytest.approx(tried["gap"].min())


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["settings", "search"])
def test_a_row_of_the_page_shows_its_group_alone(
    kind: str, runs: Runs, search: Path, browser: Browser, tmp_path: Path
) -> None:
    evil = "<img src=x onerror='hurt=1'>"
    if kind == "search":
        runs = collect([search])
    key = "optimizer.momentum" if kind == "search" else "optimizer.lr"
    runs = Runs(runs.table.with_columns(pl.lit(evil).alias("own")), [*runs.varied, "own"])
    groups, shown = gathered(runs, Grouping([key, "own"], "mean", "std"))
    (tmp_path / "page.html").write_bytes(page([groups], shown, runs.table.height))
    browser.open((tmp_path / "page.html").as_uri())
    browser.wait("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle && find('.slick-row').length")
    visible = f"return {MODELS}.filter(m => m.type === 'GlyphRenderer' && m.visible).map(m => m.name).filter(n => n)"
    legends = [group.legend for group in groups.groups]
    assert sorted(browser.run(visible)) == sorted(legends)
    browser.run("find('.slick-row')[1].querySelectorAll('.slick-cell')[1].click()")
    browser.wait(f"{MODELS}.filter(m => m.type === 'GlyphRenderer' && m.visible && m.name).length === 1")
    assert browser.run(visible) == [legends[1]]
    assert browser.run("return window.hurt") is None and browser.complaints() == []
    assert browser.run("return performance.getEntriesByType('resource').map(e => e.name)") == []


@pytest.mark.parametrize(
    "words", [["--group-by", "lr"], ["--band", "interval"], ["--group-by", "seed", "--band", "sem"]]
)
def test_the_command_writes_picture_page_and_table_of_groups(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(tmp_path / "outputs", 20, epochs=2)
    files = ["--png", "a.png", "--html", "a.html", "--json", "a.json"]
    assert main(["compare", str(tmp_path / "outputs"), *words, *files]) == 0
    count = 2 if "seed" in words else 10
    assert capsys.readouterr().out.splitlines() == [
        f"{count} rows: a.json", f"{count} groups: a.png", f"{count} groups: a.html"
    ]  # fmt: skip
    rows = orjson.loads(Path("a.json").read_bytes())
    if words[0] == "--band":
        assert rows[0]["over"] == "2 seeds"
        assert [row["gap mean"] for row in rows] == sorted(row["gap mean"] for row in rows)
    assert f"<title>{count} groups of 20 runs</title>" in Path("a.html").read_text()


@pytest.mark.parametrize(("average", "worth"), [("mean", 4.0), ("median", 2.0)])
def test_a_setting_is_worth_the_average_that_was_searched(average: str, worth: float, tmp_path: Path) -> None:
    (tmp_path / "search.json").write_bytes(orjson.dumps({"found": {"gap": worth}, "average": average}))
    part = pl.DataFrame({
        "optimizer.lr": [0.1] * 3, "seed": [0, 1, 2], "status": ["completed"] * 3, "gap": [1.0, 2.0, 9.0],
        "folder": [f"{tmp_path}/{n}" for n in range(3)],
    })  # fmt: skip
    values, lost = in_runs(part, "gap", ["optimizer.lr", "seed"])
    assert (values.tolist(), lost) == ([worth], 0)
