"""Bad requests: each runs or prints one `error: ` line; benchmarks/fuzz.py asks ten thousand."""

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.cli import COMMANDS
from tests.support.odd_commands import half_written, odd_command, odd_sweep, run_odd
from tests.support.odd_tables import odd_table, write
from tests.support.requests import broken, command_line, from_config, plain_config, run_command, table_request

LOOP = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


@LOOP
@given(dice=st.randoms(use_true_random=True))
def test_command_lines(dice, tmp_path_factory: pytest.TempPathFactory) -> None:
    words = command_line(dice)
    if words[0] not in COMMANDS:
        assert not broken(*run_command(words, tmp_path_factory.mktemp("case") / "run"), seconds=0), words


@LOOP
@given(dice=st.randoms(use_true_random=True), make=st.sampled_from([odd_command, odd_sweep]))
def test_commands_on_stored_runs_and_sweeps(dice, make, tmp_path_factory: pytest.TempPathFactory) -> None:
    words = make(dice)
    if "--html" not in words and "--png" not in words:  # they take seconds
        folder = tmp_path_factory.getbasetemp() / "odd" / "run"
        folder.parent.mkdir(exist_ok=True)
        assert not broken(*run_odd(words, folder), seconds=0), words
        assert not half_written(folder, 0), words
        shutil.rmtree(folder, ignore_errors=True)


@LOOP
@given(dice=st.randoms(use_true_random=True))
def test_broken_tables(dice, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("case")
    with contextlib.chdir(place):
        words = write(odd_table(dice), place)
        assert not broken(*run_command(words, place / "run"), seconds=0), words


@LOOP
@given(dice=st.randoms(use_true_random=True), make=st.sampled_from([plain_config, table_request]))
def test_configs_and_tables(dice, make, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = make(dice)
    assert not broken(*from_config(config, Path(tmp_path_factory.mktemp("case")) / "run"), seconds=0), config


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["seed=1", "--cfg", "job", "training.epochs=2"], 0),  # a flag between overrides: Hydra printed its usage
        (["training.epochs=1", "--cfg", "job", "--resolve", "optimizer=adam"], 0),
        (["seed=1", "--resolve"], 2),  # these two were a ValueError of Hydra's
        (["loss=-1"], 2),
        (["--cfg=hydra", "-c", "=", "seed=1"], 2),
        (["optimizer._target_=${nope}"], 2),
        (["+="], 2),  # was an AssertionError
        (["~data=1_000"], 2),
        (["experiment=nan"], 2),
        (["-m", "experiment=[1],é"], 1),
        (["-m", "seed=1,2", "sweep.objective=1e-3"], 2),
        (["training.max_seconds=1e300"], 0),  # a traceback in the timer's thread
        (["device.threads=99999999999999999999"], 2),
        (["data=synthetic", "data.n_rows=9000000000000000000"], 2),
        (["optimizer._target_=torch.optim.SparseAdam"], 2),
        (["optimizer.lr=1e39"], 2),
        (["schedule=step", "schedule.step_size=1", "schedule.gamma=1e30", "training.log_every=3"], 0),
        (["-m", "seed=range(0,1,0)"], 2),
        (["-m", "seed=1,2", "sweep.resume=-1"], 2),
    ],
)
def test_what_the_campaign_found(words: list[str], status: int, tmp_path: Path) -> None:
    answer = run_odd(words, tmp_path / "run") if words[0] == "-m" else run_command(words, tmp_path / "run")
    assert answer[0] == status
    assert not broken(*answer, seconds=0)
