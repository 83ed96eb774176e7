"""What a word means: last, best, a sweep's job by its number, eight letters, the beginning of a name, a path."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.stored_runs import write_run, write_runs
from experiments.__main__ import main
from experiments.errors import UserError
from experiments.stored.lookup import load_run, resolve

ALONE = "2026-03-01_10-00-00_1234abcd_lr=1"
OTHER = "2026-03-01_10-00-01_deadbeef"
SWEEP = "2026-01-01_00-00-00_0badcafe"


@pytest.fixture
def outputs() -> Path:
    """Two runs and a sweep of three jobs, begun in this order: the sweep last."""
    place = Path("outputs")
    for when, name in enumerate((ALONE, OTHER)):
        os.utime(write_run(place / "runs" / name, 0.5, 0, epochs=2) / "config.json", (when, when))
    for when, job in enumerate(write_runs(place, 3, epochs=2), 10):
        os.utime(job / "config.json", (when, when))
    return place


def jobs(outputs: Path) -> list[Path]:
    return sorted((outputs / "sweeps" / SWEEP).iterdir())


def test_last_is_the_newest_run_or_sweep(outputs: Path) -> None:
    assert resolve("last") == jobs(outputs)[2]
    assert resolve("last", many=True) == outputs / "sweeps" / SWEEP
    os.utime(outputs / "runs" / ALONE / "config.json", (99, 99))
    assert resolve("last") == resolve("last", many=True) == outputs / "runs" / ALONE


def test_best_is_the_best_finished_run_of_the_newest_sweep(outputs: Path) -> None:
    best = jobs(outputs)[2]  # the largest rate has the least gap
    assert resolve("best") == resolve("best", many=True) == load_run("best").folder == best
    text = (best / "result.json").read_text()
    (best / "result.json").write_text(text.replace('"completed"', '"diverged"'))
    assert resolve("best") == jobs(outputs)[1]


def edit(folder: Path, config: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Change sections of a run's config and its metrics by hand."""
    for name, changes in (("config", config), ("result", {"metrics": metrics})):
        content = orjson.loads((folder / f"{name}.json").read_bytes())
        for section, values in changes.items():
            content[section] = {**content[section], **values}
        (folder / f"{name}.json").write_bytes(orjson.dumps(content))


def test_best_is_by_the_objective_of_the_sweep(outputs: Path) -> None:
    for job, r2 in zip(jobs(outputs), ([0.5, 0.1], [0.4, 0.9], [0.3, 0.2]), strict=True):
        edit(job, {"sweep": {"objective": "r2.apples"}}, {"r2": r2})
    assert resolve("best") == jobs(outputs)[0]
    for job in jobs(outputs):
        edit(job, {"sweep": {"objective": "r2"}}, {})
    assert resolve("best") == jobs(outputs)[1]


def test_best_of_what_does_not_compare_is_refused(outputs: Path) -> None:
    edit(jobs(outputs)[1], {"loss": {"_target_": "experiments.learning.losses.L1"}}, {})
    with pytest.raises(UserError, match=rf"several losses or data sets.* \(mse; l1\); name one, as {SWEEP}/0"):
        resolve("best")


def test_a_job_by_the_number_in_its_sweep(outputs: Path) -> None:
    for sweep in ("last", SWEEP, "0badcafe", "2026-01", str(outputs / "sweeps" / SWEEP)):
        assert resolve(f"{sweep}/1") == jobs(outputs)[1]
    for word, said in (("last/7", "has no job 7"), ("nosuch/1", "there is no such sweep")):
        with pytest.raises(UserError, match=said):
            resolve(word)


def test_eight_letters_and_the_beginning_of_a_name(outputs: Path) -> None:
    assert resolve("1234abcd") == resolve("2026-03-01_10-00-00") == outputs / "runs" / ALONE
    assert resolve(f"{SWEEP}/2_lr") == jobs(outputs)[2]
    assert resolve("0badcafe", many=True) == outputs / "sweeps" / SWEEP
    with pytest.raises(UserError, match="2 runs are called so"):
        resolve("2026-03")
    with pytest.raises(UserError, match="a sweep; name one of its jobs, as 0badcafe/0, or best"):
        resolve("0badcafe")


def test_a_sweep_whose_jobs_lie_deeper_and_one_without_jobs(outputs: Path) -> None:
    sweep = outputs / "sweeps" / "2026-04-01_00-00-00_feedface"
    job = write_run(sweep / "lr=0.1" / "0_seed=1", 0.1, 1, epochs=2)
    (sweep / "sweep.yaml").write_text("{}")
    assert resolve("last", many=True) == sweep
    assert resolve("last/0") == resolve("best") == job
    empty = outputs / "sweeps" / "2026-04-01_00-00-01_feedfacf"
    empty.mkdir()
    (empty / "sweep.yaml").write_text("{}")
    os.utime(empty / "sweep.yaml", (2e9, 2e9))
    assert resolve("last", many=True) == empty
    with pytest.raises(UserError, match="has finished"):
        resolve("best")


def test_the_commands_know_them(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["compare", "last"], ["compare", "0badcafe"]):
        assert main(words) == 0
        assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["diff", "best", "last/0"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split("\t")[3:] == [jobs(outputs)[2].name, jobs(outputs)[0].name]
    os.utime(outputs / "runs" / OTHER / "config.json", (99, 99))
    assert main(["resume", "last"]) == 0
    assert f"{OTHER}: the run has ended" in capsys.readouterr().out


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run's folder, and there are no runs below outputs/"):
        resolve("last")
    (tmp_path / "outputs").mkdir()
    with pytest.raises(UserError, match="there is no such folder, and there are no runs"):
        resolve("last", many=True)
    write_run(tmp_path / "outputs" / "runs" / ALONE, 0.5, 0, epochs=2)
    for word, said in (("best", "there is no sweep"), ("lastt", "the last one is"), ("outputs", "has no config.json")):
        with pytest.raises(UserError, match=said):
            resolve(word)
