"""Command lines to their exit statuses and one-line errors; run folders; `run` beside a notebook's own Hydra."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import experiments
from experiments import __version__, run
from experiments.__main__ import main
from experiments.errors import UserError
from experiments.running import under_way

FAST = ["training.epochs=1", "tracking.figures=false"]

OWN_GROUPS = {
    "model/wide.yaml": "_target_: their_models.Wide\nhidden: 5\n",
    "optimizer/gentle.yaml": "_target_: torch.optim.SGD\nlr: 1e-6\nmomentum: 0.0\ndampening: 0.0\nweight_decay: 0.0\n"
    "nesterov: false\n",
    "experiment/theirs.yaml": "# @package _global_\ndefaults:\n  - override /optimizer: gentle\nseed: 77\n",
}
THEIR_MODELS = """
from torch import nn
class Wide(nn.Module):
    def __init__(self, in_features, out_features, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(in_features, hidden), nn.Tanh(), nn.Linear(hidden, out_features))
    def forward(self, x):
        return self.net(x)
"""


def runs() -> list[Path]:
    return sorted(Path("outputs/runs").iterdir()) if Path("outputs/runs").exists() else []


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


def test_a_run_prints_its_summary_and_leaves_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FAST, "seed=3"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for word in ("completed after 1 epochs", "smallest possible loss: 0.909446", "yield_apple  = ", "prediction for"):
        assert word in captured.out
    [folder] = runs()
    assert folder.name.endswith("_epochs=1_figures=false_seed=3")
    assert captured.out.splitlines()[-2:] == [
        f"folder: {folder.resolve()}", f"look:   experiments board {folder.resolve().parent}",
    ]  # fmt: skip
    assert {path.name for path in (folder / ".hydra").iterdir()} == {"config.yaml", "overrides.yaml", "hydra.yaml"}
    assert "seed=3" in (folder / ".hydra/overrides.yaml").read_text()
    assert json.loads((folder / "config.json").read_text())["seed"] == 3
    assert json.loads((folder / "result.json").read_text())["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimizer=adamm"], "did you mean adam?"),
        (["training.epochs=-1"], "training.epochs=-1: must be at least 0"),
        (["~optimizer"], "optimizer: missing"),
        (["data.validation=0.01"], "no row for validation"),
        (["device=tpu"], "no such choice"),
        (["model._target_=os.system"], "not trusted"),
        (["optimizer._target_=torch.optim.LBFGS"], "step() without a closure"),
        (["data._target_=experiments.cli.report.Display"], "has no load()"),
        (["dianose"], "did you mean diagnose?"),
        (["seed=1", "typo"], "typo: not an override"),
        (["--cfg", "job", "-m"], "only one of them"),
        (["training.epochs=1,2"], "add -m to sweep"),
    ],
)
def test_a_wrong_request_is_one_line_status_2_and_leaves_nothing(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(arguments, capsys)
    assert runs() == []


def test_version_help_and_config_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"experiments {__version__}\n"
    assert main(["--help"]) == 0 and "Groups (group=choice)" in capsys.readouterr().out
    assert main(["--cfg", "job", "seed=5"]) == 0 and "seed: 5" in capsys.readouterr().out
    assert runs() == []


def test_divergence_is_a_result_unless_asked_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    wild = ["optimizer.lr=1", "training.epochs=30", "tracking.figures=false"]
    assert main(wild) == 0
    out = capsys.readouterr().out
    assert "diverged after 2 epochs" in out and "was tried and holds" in out and "yield_apple" not in out
    assert main([*wild, "training.fail_on_divergence=true"]) == 1
    assert [json.loads((f / "result.json").read_text())["status"] for f in runs()] == ["diverged", "diverged"]


def test_a_failing_run_is_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken\non purpose")

    monkeypatch.setattr(under_way.Run, "epochs", broken)
    assert refused(FAST, capsys, status=1) == "error: RuntimeError: broken on purpose\n"
    [folder] = runs()
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RuntimeError, match="broken"):
        main(FAST)
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_ctrl_c_is_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    original = under_way.fit

    def interrupted(*arguments: Any, **keys: Any) -> object:
        for look in original(*arguments, **keys):
            yield look
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(under_way, "fit", interrupted)
    said = refused(["training.epochs=1000000"], capsys, status=130)
    assert said.startswith("error: interrupted; go on with: experiments resume ")
    [folder] = runs()
    assert not (folder / "result.json").exists() and (folder / "metrics.jsonl").read_text().count("\n") == 1


def test_runs_of_one_second_have_their_own_folders() -> None:
    for _ in range(4):
        main(FAST)
    assert len(runs()) == 4


def test_a_folder_with_a_run_keeps_every_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "mine")
    assert main([*FAST, "hydra.run.dir=mine"]) == 0
    capsys.readouterr()
    before = {path: path.read_bytes() for path in Path("mine").rglob("*") if path.is_file()}
    for argument in ("hydra.run.dir=mine", "hydra.run.dir='mine'", "hydra.run.dir=${oc.env:MINE}"):
        text = refused(["training.epochs=2", argument], capsys)
        assert "there is a run in this folder already" in text
        if "$" not in argument:
            assert {path: path.read_bytes() for path in Path("mine").rglob("*") if path.is_file()} == before
    assert all(path.exists() for path in before)


def test_a_refused_run_leaves_what_else_is_in_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("kept")
    refused(["training.epochs=-1", "hydra.run.dir=mine"], capsys)
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_hostile_overrides_make_safe_names() -> None:
    assert main([*FAST, "data.inputs=[temp,rainfall]", "+hydra.job.env_set.X='../../a b;rm'"]) == 0
    [folder] = runs()
    assert folder.name.endswith("_inputs=temp,rainfall") and len(folder.name) <= 80


@pytest.fixture
def own_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder elsewhere, with groups and a module of their own."""
    folder = tmp_path / "their project/their conf"
    for name, text in OWN_GROUPS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "their project/their_models.py").write_text(THEIR_MODELS)
    monkeypatch.chdir(tmp_path / "their project")
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "their_models")
    monkeypatch.delitem(sys.modules, "their_models", raising=False)
    return folder


@pytest.mark.usefixtures("own_groups")
def test_config_dir_adds_the_users_groups_and_modules_of_the_current_folder() -> None:
    assert main(["--config-dir", "their conf", "model=wide", "experiment=theirs", *FAST]) == 0
    [folder] = runs()
    plain = json.loads((folder / "config.json").read_text())
    assert plain["model"] == {"_target_": "their_models.Wide", "hidden": 5}
    assert plain["optimizer"]["lr"] == 1e-6 and plain["seed"] == 77


@pytest.mark.usefixtures("own_groups")
@pytest.mark.parametrize("words", [["--help", "--config-dir", "their conf"], ["-cd=their conf", "-h"]])
def test_help_lists_the_users_groups(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    told = capsys.readouterr().out
    for line in ("Groups in their conf", "  experiment  theirs", "  model       wide", "  optimizer   gentle"):
        assert f"\n{line}\n" in told
    assert main(["--help"]) == 0 and "gentle" not in capsys.readouterr().out


def test_a_preset_without_its_first_line_is_told(own_groups: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_groups / "experiment/mine.yaml").write_text("seed: 3\n")
    said = refused(["--config-dir", "their conf", "experiment=mine"], capsys)
    assert said == "error: experiment: a preset of your own must begin with the line `# @package _global_`\n"


@pytest.mark.usefixtures("own_groups")
def test_a_target_on_the_command_line_takes_the_place_of_the_default_model() -> None:
    """The init and bias of model=linear stay in the node; the class has no name for them."""
    assert main(["model._target_=their_models.Wide", "+model.hidden=3", *FAST]) == 0


FAILING = """
from torch import nn
class Constructor(nn.Module):
    def __init__(self):
        raise RuntimeError("oops")
class Refusing(nn.Module):
    def __init__(self, in_features):
        raise ValueError(f"{in_features} are too many")
class Forward(nn.Module):
    calls = 0
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 2)
    def forward(self, x):
        Forward.calls += 1
        if Forward.calls > 3:
            return self.net(x[:, :1])
        return self.net(x)
class Data:
    def load(self):
        return open("nowhere.csv")
"""


@pytest.mark.parametrize(
    ("override", "status", "said", "left"),
    [
        ("model._target_=their_faults.Constructor", 1, "error: RuntimeError: oops (in their_faults.py, line 5; ", 0),
        ("model._target_=their_faults.Refusing", 2, "its arguments: 3 are too many (in their_faults.py, line 8; ", 0),
        ("model._target_=their_faults.Forward", 1, "(in their_faults.py, line 17; ", 1),
        ("data._target_=their_faults.Data", 1, "nowhere.csv: it is not there, or was removed meanwhile (in their", 0),
    ],
)
def test_a_failure_in_code_of_the_users_own_names_its_file_and_line_and_leaves_no_empty_folder(
    override: str,
    status: int,
    said: str,
    left: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("their_faults.py").write_text(FAILING)
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "their_faults")
    monkeypatch.delitem(sys.modules, "their_faults", raising=False)
    line = refused([override, *FAST], capsys, status)
    assert said in line and line.endswith("HYDRA_FULL_ERROR=1 shows the traceback)\n")
    assert len(runs()) == left


def test_run_in_python_returns_the_result() -> None:
    result = experiments.run("training.epochs=2", "seed=4", "tracking.figures=false")
    assert result.status == "completed" and result.seed == 4 and result.folder is not None
    assert result.folder.is_absolute() and (result.folder / "result.json").exists()
    assert result.predict([75, 63, 44]).shape == (2,)


@pytest.mark.parametrize("word", ["--cfg=job", "-m", "diagnose", "last"])
def test_run_in_python_takes_overrides_only(word: str) -> None:
    with pytest.raises(UserError, match="not an override"):
        run(word)


def test_run_in_python_raises_refusals() -> None:
    with pytest.raises(UserError, match="did you mean adam"):
        run("optimizer=adamm")
    with pytest.raises(UserError, match="optimizer: missing"):
        run("~optimizer")
    assert runs() == []


def test_a_notebooks_own_hydra_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "notebook").mkdir()
    (tmp_path / "notebook/mine.yaml").write_text("own: 1\n")
    argv = list(sys.argv)
    with hydra.initialize_config_dir(str(tmp_path / "notebook"), version_base="1.3"):
        mine, settings = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
        run("training.epochs=1", "tracking.figures=false")
        with pytest.raises(UserError):
            run("training.epochs=-1")
        assert GlobalHydra.instance().hydra is mine and HydraConfig.instance().cfg is settings
        assert hydra.compose("mine").own == 1
    assert sys.argv == argv and "HYDRA_FULL_ERROR" not in os.environ
