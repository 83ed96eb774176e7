"""Bad requests: each runs or prints one `error: ` line; benchmarks/fuzz.py asks ten thousand."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.__main__ import COMMANDS
from tests.requests import broken, command_line, from_config, plain_config, run_command, table_request

LOOP = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


@LOOP
@given(dice=st.randoms(use_true_random=True))
def test_command_lines(dice, tmp_path_factory: pytest.TempPathFactory) -> None:  # type: ignore[no-untyped-def]
    words = command_line(dice)
    if words[0] not in COMMANDS:
        assert not broken(*run_command(words, tmp_path_factory.mktemp("case") / "run"), seconds=0), words


@LOOP
@given(dice=st.randoms(use_true_random=True), make=st.sampled_from([plain_config, table_request]))
def test_configs_and_tables(dice, make, tmp_path_factory: pytest.TempPathFactory) -> None:  # type: ignore[no-untyped-def]
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
    ],
)
def test_what_the_campaign_found(words: list[str], status: int, tmp_path: Path) -> None:
    answer = run_command(words, tmp_path / "run")
    assert answer[0] == status
    assert not broken(*answer, seconds=0)
