"""plot() draws the figures that the run has left as PNGs, and those of a job that has left none."""

from pathlib import Path

import pytest

from experiments import load_run, run, sweep
from experiments.errors import UserError
from experiments.stored.exports.plots import pictures
from tests.support.figures import words

QUICK = ("training.epochs=5", "tracking.tensorboard=false")


@pytest.mark.parametrize(
    "words_",
    [
        ("data.validation=0.2", "training.keep=best", "optimizer.lr=7e-5"),
        ("data=iris", "loss=cross_entropy", "model=mlp", "optimizer.lr=0.1"),
    ],
)
def test_they_are_those_that_the_run_drew_to_the_byte(words_: tuple[str, ...]) -> None:
    result = run(*QUICK, *words_)
    assert result.folder is not None
    drawn = {path.stem: path.read_bytes() for path in (result.folder / "figures").iterdir()}
    assert {tag.replace("/", "_"): png for tag, png in pictures(load_run(result.folder)).items()} == drawn


def test_a_standardised_runs_path_begins_where_it_began() -> None:
    result = run(*QUICK, "data.standardize=true", "optimizer.lr=0.1", "model.init=zeros")
    text = words(result.plot()["loss_surface"])
    assert f"end: {result.metrics['train_loss']:.5g}" in text
    assert f"exact optimum: {result.metrics['optimum_loss']:.5g}" in text
    table = result.table
    assert table is not None  # from zero weights on standardised columns the mean is predicted
    assert f"start: {float(table.y.double().var(0, correction=0).mean()):.5g}" in text


def test_a_sweeps_job_has_figures_though_it_left_none(tmp_path: Path) -> None:
    sweep(*QUICK, "seed=0,1", f"hydra.sweep.dir={tmp_path}")
    job = load_run(next(tmp_path.glob("1_*")))
    assert not (job.folder / "figures").exists()
    made = job.plot()
    assert list(made) == ["loss", "prediction", "plane/apples", "plane/oranges"]
    assert f"last {job.outcome['train_loss']:.5g}" in words(made["loss"])


def test_a_table_that_changed_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n2,3\n3,5\n")
    result = run(*QUICK, "data=table", f"data.path={tmp_path / 'rows.csv'}", "data.targets=[y]")
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n2,3\n3,6\n")
    with pytest.raises(UserError, match="was trained on other rows than its table has now"):
        result.plot()
