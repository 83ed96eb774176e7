"""Which folders of a sweep are cleared, which are never touched, and what the folder of a failed job says."""

import json
from pathlib import Path

import yaml

from experiments.__main__ import main
from experiments.config.validation import config_hash
from experiments.errors import UserError
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.job_folders import Folders, failed_result, write_failed
from experiments.tracking.result import read_result


def test_only_what_an_attempt_left_is_cleared(tmp_path: Path) -> None:
    jobs = [Job(number, (), f"{number}_x") for number in range(4)]
    folders = Folders(tmp_path)
    for job in jobs:
        folders.of(job).mkdir()
        (folders.of(job) / "file").touch()
    folders.begun = {0, 2}
    assert [folders.cleared(job).exists() for job in jobs] == [False, True, False, True]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    folders = Folders(tmp_path / "sweep")
    folders.root.mkdir()
    folders.begun = {0}
    (folders.root / "0").symlink_to(tmp_path / "elsewhere")
    folders.cleared(Job(0, (), "0"))
    assert (tmp_path / "elsewhere/file").exists()


def test_a_folder_is_cleared_once(tmp_path: Path) -> None:
    """What a second attempt that fails has left there is kept, for its job to be looked at."""
    folders, job = Folders(tmp_path), Job(0, (), "0")
    folders.begun = {0}
    folders.cleared(job).mkdir()
    (folders.of(job) / "config.json").touch()
    assert (folders.cleared(job) / "config.json").exists()


def test_a_folder_says_why_and_what_was_asked(tmp_path: Path) -> None:
    job = Job(3, ("seed=7", "optimizer.lr=-1"))
    result = failed_result(job, "optimizer.lr=-1: must be above 0", "UserError")
    write_failed(job, tmp_path / "3", result)
    stored = read_result(tmp_path / "3")
    assert stored.error == result.error == {"type": "UserError", "message": "optimizer.lr=-1: must be above 0"}
    assert (stored.status, stored.config_hash) == ("failed", config_hash({"overrides": list(job.overrides)}))
    assert yaml.safe_load((tmp_path / "3/.hydra/overrides.yaml").read_text()) == list(job.overrides)


def test_what_the_run_itself_left_stays(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("the run's own")
    result = failed_result(Job(0, ()), str(UserError("late")), "OSError")
    write_failed(Job(0, ()), tmp_path, result)
    assert result.status == "failed"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_text() == "the run's own"


def test_a_failed_job_has_its_own_seed_and_hash() -> None:
    """Composed and valid, but there is no such table."""
    words = ["data=table", "data.path=nowhere.csv", "data.targets=[a]", "seed=3,4", "hydra.sweep.dir=s"]
    assert main(["-m", *words]) == 1
    found = [json.loads(path.read_text()) for path in sorted(Path("s").glob("*/result.json"))]
    assert [result["seed"] for result in found] == [3, 4]
    assert len({result["config_hash"] for result in found}) == 2
