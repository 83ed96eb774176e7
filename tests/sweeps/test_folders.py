"""Which folders of a sweep are cleared, and which are never touched."""

from pathlib import Path

from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.folders import Folders


def test_only_what_an_attempt_left_is_cleared(tmp_path: Path) -> None:
    jobs = [Job(number, (), f"{number}_x") for number in range(4)]
    folders = Folders(tmp_path)
    for job in jobs:
        folders.of(job).mkdir()
        (folders.of(job) / "file").touch()
    folders.begun, folders.ready = {0}, {1, 2}
    folders.cut_off([jobs[2]])
    assert (folders.begun, folders.ready) == ({0, 2}, {1})
    assert [folders.cleared(job).exists() for job in jobs] == [False, False, False, True]


def test_a_folder_that_stands_is_not_made_again(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.ready = {0}
    folders.begin(Job(0, (), "0"), str(tmp_path / "0"))
    assert list(tmp_path.iterdir()) == []


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
    folders, jobs = Folders(tmp_path), [Job(0, (), "0"), Job(1, (), "1")]
    folders.begun, folders.ready = {0}, {1}
    for job in jobs:
        folders.cleared(job).mkdir()
        (folders.of(job) / "config.json").touch()
        assert (folders.cleared(job) / "config.json").exists()
