"""TAB: what is offered after a half-typed line, in Python, in bash and, where it is installed, in fish."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.cli.completion import candidates

NEW, OLD, SWEEP = "2026-01-02_10-00-00_abcdef01_seed=3", "2026-01-01_10-00-00_12345678", "2026-01-01_11-00-00_87654321"


@pytest.fixture(autouse=True)
def stored() -> None:
    """Two runs, a sweep of two jobs, a table; TAB looks at the names alone."""
    for folder in (f"runs/{NEW}", f"runs/{OLD}", f"sweeps/{SWEEP}/0_seed=1", f"sweeps/{SWEEP}/1_seed=2"):
        Path("outputs", folder).mkdir(parents=True)
    Path("rows.csv").write_text("a,b\n1,2\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dia", ["diagnose"]),
        ("re", ["rerun", "resume", "remove"]),
        ("diagnose optimizer=ada", ["optimizer=adagrad", "optimizer=adam", "optimizer=adamw"]),
        ("-m training.ep", ["training.epochs="]),
        ("predict ", [OLD, SWEEP, NEW, "best", "last"]),
        ("predict 2026-01-02", [NEW]),
        (f"diff {OLD} la", ["last"]),
        (f"predict {SWEEP}/", [f"{SWEEP}/0_seed=1", f"{SWEEP}/1_seed=2"]),
        ("rerun last opt", ["optimizer.", "optimizer="]),
        ("predict last --table ro", ["rows.csv"]),
        ("resume outputs/", ["outputs/runs/", "outputs/sweeps/"]),
        ("compare ./o", ["./outputs/"]),
    ],
)
def test_offers(typed: str, offered: list[str]) -> None:
    assert candidates(f"experiments {typed}") == offered


def test_the_first_word_may_be_a_command_or_an_override() -> None:
    assert {"diagnose", "board", "optimizer=", "training."} <= set(candidates("experiments "))


def test_groups_of_config_dir_are_offered(tmp_path: Path) -> None:
    (tmp_path / "theirs/model").mkdir(parents=True)
    (tmp_path / "theirs/model/wide.yaml").write_text("_target_: mine.Wide\n")
    assert candidates(f"experiments --config-dir {tmp_path}/theirs model=w") == ["model=wide"]


@pytest.mark.parametrize("typed", ["nonsense ", "diagnose 'a", "[x=", "--nope tr", "rerun nowhere seed=1,2 ", ""])
def test_a_line_that_makes_no_sense_writes_nothing_into_the_terminal(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", f"experiments {typed}" if typed else "")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().err == ""


IN_BASH = """
eval "$(experiments --shell-completion install=bash)"
COMP_LINE="experiments $1"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
hydra_bash_completion
printf '%s\n' "${COMPREPLY[@]}"
"""
IN_FISH = """
experiments --shell-completion install=fish | source
complete -C "experiments $argv[1]"
"""
SHELLS = {"bash": ["bash", "--norc", "-c", IN_BASH, "bash"], "fish": ["fish", "--no-config", "-c", IN_FISH]}


@pytest.mark.parametrize("shell", [name for name in SHELLS if shutil.which(name)])
@pytest.mark.parametrize(
    ("typed", "offered"), [("diagnose optimizer=adamw", ["optimizer=adamw"]), ("rerun 2026-01-02", [NEW])]
)
def test_a_real_shell_completes(
    shell: str, typed: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    done = subprocess.run([*SHELLS[shell], typed], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (offered, "")
