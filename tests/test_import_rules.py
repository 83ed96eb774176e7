"""Who may import whom, as the design says; and what the quick answers must not wait for."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import experiments

PACKAGE = Path(experiments.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
TOP = {
    "application", "composition", "flags", "runner", "assembly", "factories", "commands", "report", "sweeps",
    "__main__",
}  # fmt: skip


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(path: Path, *, at_import: bool = False) -> set[str]:
    """Modules named in a file's imports, those for type checkers left out; `at_import`: not those in functions."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child) or (at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                module = child.module or ""
                found.update(f"{module}.{alias.name}" if module in PACKAGES else module for alias in child.names)
            walk(child)

    walk(ast.parse(path.read_text()))
    return found


PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def ours(names: set[str]) -> set[str]:
    """The rooms below experiments that are imported: `tracking`, `models`, ..."""
    return {name.split(".")[1] for name in names if name.startswith("experiments.")}


def rooms(*names: str) -> list[str]:
    return [m for m in MODULES if any(m == f"experiments.{n}" or m.startswith(f"experiments.{n}.") for n in names)]


@pytest.mark.parametrize("name", ["config", "errors", "places", "extended_precision", "values"])
def test_the_ground_floor_imports_nothing_of_ours(name: str) -> None:
    assert ours(imported(MODULES[f"experiments.{name}"])) <= {"errors"} - {name}


LEARNING = (
    "models", "optimizers", "schedules", "losses", "devices", "data", "training",
    "optimum", "refinement", "minimum_norm", "tsqr", "spectrum",
)  # fmt: skip


@pytest.mark.parametrize("module", rooms(*LEARNING))
def test_what_learns_knows_no_folders_and_no_command_line(module: str) -> None:
    names = imported(MODULES[module])
    assert not ours(names) & (TOP | {"tracking", "config", "validation"})
    assert not {name.partition(".")[0] for name in names} & {"hydra", "omegaconf", "tensorboard", "rich"}


@pytest.mark.parametrize("module", rooms("tracking"))
def test_tracking_knows_records_and_results_not_training(module: str) -> None:
    names = imported(MODULES[module])
    assert not ours(names) & (TOP | {"training"})
    assert "hydra" not in {name.partition(".")[0] for name in names}


def test_the_runner_knows_no_command_line() -> None:
    for module in rooms("runner", "assembly", "factories"):
        names = imported(MODULES[module])
        assert not ours(names) & (TOP - {"runner", "assembly", "factories"})
        assert "hydra" not in {name.partition(".")[0] for name in names}


def test_nothing_below_imports_the_commands() -> None:
    for module, path in MODULES.items():
        if not module.startswith("experiments.commands") and module != "experiments.__main__":
            assert "commands" not in ours(imported(path)), module


@pytest.mark.parametrize("start", ["__main__", "application", "commands.diagnose", "help", "sweeps.sweeping"])
def test_no_chain_of_imports_leads_from_the_entry_to_torch(start: str) -> None:
    waiting, seen = [f"experiments.{start}"], set()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in MODULES:
            continue
        seen.add(module)
        names = imported(MODULES[module], at_import=True)
        assert not {n for n in names if n.partition(".")[0] in ("torch", "matplotlib")}, module
        waiting += names


QUICK = """
import contextlib, io, sys
from experiments.__main__ import main
for line, status in ((["--help"], 0), (["--version"], 0), (["--cfg", "job"], 0), (["optimizer=adamm"], 2),
                     (["training.epochs=-1"], 2), (["nonsense"], 2), (["--nonsense"], 2),
                     (["-m", "seed=0,1", "sweep.dry_run=true"], 0)):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(line) == status, line
    assert not {"torch", "matplotlib", "tensorboard"} & sys.modules.keys(), line
with contextlib.redirect_stdout(io.StringIO()):
    assert main(["model=manual", "optimizer=manual_sgd", "training.epochs=1", "tracking.figures=false"]) == 0
assert "torch" in sys.modules
assert not {"torch._dynamo", "matplotlib", "tensorflow", "torch.utils.tensorboard"} & sys.modules.keys()
"""


def test_quick_answers_import_no_torch_and_the_manual_path_no_dynamo() -> None:
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
