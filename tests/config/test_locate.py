"""What a `_target_` can reach: classes defined in trusted packages, below the base asked for, nothing else."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.config.locate import accepted, build, locate, needs_no_argument, own_code
from experiments.errors import UserError
from experiments.learning.models import BASES, Manual

OWN = """
import os
from os import system
from pathlib import Path
import torch
from torch import nn
from torch.nn import Linear

class Net(nn.Module):
    class Inner(nn.Module):
        pass

    def __init__(self, in_features, out_features, hidden=4):
        super().__init__()

class Plain:
    pass

def factory(**keys):
    raise AssertionError("called")

net = Net(3, 2)
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's, importable but not trusted yet."""
    (tmp_path / "their_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_nets", raising=False)
    return "their_nets"


def refusal(target: str, bases: tuple[type, ...] = BASES) -> str:
    with pytest.raises(UserError) as caught:
        locate("model._target_", target, bases)
    assert str(caught.value).startswith(f"model._target_={target}: ")
    return str(caught.value)


def test_finds_our_own_and_torchs_classes() -> None:
    assert locate("k", "torch.nn.Linear", BASES) is nn.Linear
    assert locate("k", "torch.nn.modules.linear.Linear", BASES) is nn.Linear
    assert locate("k", "experiments.learning.models.Manual", BASES) is Manual
    assert locate("k", "torch.optim.SGD", (torch.optim.Optimizer,)) is torch.optim.SGD


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.hub.load",
        "torch.utils.cpp_extension.load",
        "torch.nnx.Linear",
        "torch.Tensor",
        "experimentsx.Net",
        "pathlib.Path",
    ],
)
def test_other_packages_are_not_trusted_and_not_imported(target: str) -> None:
    module = target.rpartition(".")[0]
    before = module in sys.modules
    assert "not trusted" in refusal(target)
    assert (module in sys.modules) == before


@pytest.mark.parametrize(
    "target",
    [
        "torch.nn.parallel.distributed.os.system",
        "torch.nn.modules.module.torch.hub.load",
        "torch.optim.lr_scheduler.types.FunctionType",
        "experiments.learning.models.nn.Linear",
        "experiments.cli.application.sys.exit",
        "torch.nn.Module.__class__",
        "torch.nn.Linear.forward",
        "experiments.running.runner.torch.nn.Linear",
    ],
)
def test_attributes_are_never_walked(target: str) -> None:
    assert "there is no module" in refusal(target)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("experiments.cli.application.Path", "comes from pathlib, which is not trusted"),
        ("experiments.tracking.files.Any", "not trusted"),
        ("torch.nn.init.kaiming_uniform_", "has no class"),
        ("torch.nn.functional.linear", "has no class"),
        ("torch.nn.Linearr", "did you mean Linear?"),
        ("torch.nn.Parameter", "is no subclass of"),
        ("experiments.cli.report.Display", "is no subclass of"),
        ("torch.optim.SGD", "is no subclass of"),
        ("experiments.learning.losses.MSE", "is no subclass of"),
    ],
)
def test_reexports_functions_and_other_classes_are_refused(target: str, reason: str) -> None:
    assert reason in refusal(target)


@pytest.mark.parametrize(
    "target", ["Linear", "", ".", "..", ".Linear", "torch.nn.", "torch..nn.Linear", "torch.nn.Linear()", "a b.C",
               "torch.nn/../os.system", "torch.nn.Linear\n", "torch.nn:Linear", "__import__('os').system"],
)  # fmt: skip
def test_hostile_names_are_no_names(target: str) -> None:
    assert "must be a class as package.module.Class" in refusal(target)


def test_the_users_own_module_needs_trust_from_the_environment(
    own_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"set EXPERIMENTS_TRUSTED_MODULES={own_module}" in refusal("their_nets.Net")
    assert own_module not in sys.modules
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", " other , their_nets ")
    found = locate("model._target_", "their_nets.Net", BASES)
    assert issubclass(found, nn.Module) and found.__module__ == own_module
    assert locate("model._target_", "their_nets.Linear", BASES) is nn.Linear  # defined in a trusted package
    assert "has no class" in refusal("their_nets.system")
    assert "has no class factory" in refusal("their_nets.factory")
    assert "has no class" in refusal("their_nets.net")
    assert "comes from pathlib" in refusal("their_nets.Path")
    assert "is no subclass of" in refusal("their_nets.Plain")
    assert "there is no module" in refusal("their_nets.Net.Inner")
    assert "there is no module their_nets.os" in refusal("their_nets.os.system")
    assert "there is no module" in refusal("their_nets.nothing.Net")
    assert "not trusted" in refusal("their_nets_two.Net")


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_an_empty_trust_is_no_trust(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", value)
    assert "not trusted" in refusal("os.system")


def test_a_module_that_lacks_something_itself_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "needs_more")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        locate("model._target_", "needs_more.Net", BASES)


class Taker:
    def __init__(self, one: int, two: int = 2) -> None:
        if one < 0:
            raise ValueError("one is negative")
        self.sum = one + two


class AnyTaker:
    def __init__(self, one: int, **rest: int) -> None: ...


def test_build_names_the_argument_that_the_class_has_not() -> None:
    assert build("model", Taker, {"one": 1}).sum == 3
    with pytest.raises(UserError, match=r"model\.twoo: Taker has no such argument; did you mean two\?"):
        build("model", Taker, {"one": 1, "twoo": 2})
    with pytest.raises(UserError, match="Taker refused its arguments: one is negative"):
        build("model", Taker, {"one": -1})
    with pytest.raises(UserError, match="missing 1 required positional argument"):
        build("model", Taker, {})


def test_accepted_keeps_what_has_a_name() -> None:
    assert accepted(Taker, {"one": 1, "three": 3}) == {"one": 1}
    assert accepted(AnyTaker, {"one": 1, "three": 3}) == {"one": 1}
    assert accepted(AnyTaker, {"one": 1, "three": 3}, anything=True) == {"one": 1, "three": 3}


def test_a_closure_is_an_argument() -> None:
    weight = nn.Parameter(torch.zeros(1))
    assert needs_no_argument(torch.optim.SGD([weight], lr=0.1).step)
    assert not needs_no_argument(torch.optim.LBFGS([weight]).step)


def test_an_exception_that_is_its_own_cause_has_an_end() -> None:
    error = ValueError("round and round")
    error.__cause__ = error
    assert own_code(error) == ""
