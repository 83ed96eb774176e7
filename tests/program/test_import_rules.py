"""The house as one ranked table of rooms: a file imports only from its own room or from lower ones.

Imports inside functions and under TYPE_CHECKING count. Also what the quick answers must not wait for.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import experiments

PACKAGE = Path(experiments.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.stem not in ("__init__", "__main__")
}
ROOMS = (
    "errors",
    "config",
    "exact",
    "data", "data.files", "data.streaming", "data.sources",
    "learning",
    "tracking",
    "running.measures", "running.figures", "running",
    "stored",
    "comparison",
    "sweeps.compose", "sweeps.stacked", "sweeps.results", "sweeps.packed", "sweeps", "sweeps.engines", "sweeps.search",
    "cli", "cli.commands",
)  # fmt: skip
"""From the ground up."""
FOREIGN = {
    "torch": ("learning", "running", "stored", "sweeps", "exact", "data", "tracking"),
    "hydra": ("config", "stored", "sweeps", "cli"),
    "omegaconf": ("config", "stored", "sweeps", "cli"),
    "matplotlib": ("running.measures", "running.figures", "running", "stored.exports", "comparison"),
    "optuna": ("sweeps.search",),
    "rich": ("comparison", "sweeps", "cli"),
}
"""Which rooms may import what the others are to be kept free of."""


def room_of(module: str) -> str:
    """The innermost room of the table that a module lies in."""
    return max((r for r in ROOMS if module == r or module.startswith(f"{r}.")), key=len)


def imported(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """Every module named in a file's imports; `at_import`: not those in functions and for type checkers."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        )
        if not (at_import and later):
            waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.removeprefix("experiments.") in MODULES else node.module or ""


def ours(names: Iterator[str]) -> set[str]:
    return {name.removeprefix("experiments.") for name in names if name.startswith("experiments.")}


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_from_its_own_room_or_from_lower_ones(module: str) -> None:
    height = ROOMS.index(room_of(module))
    above = {name for name in ours(imported(MODULES[module])) if ROOMS.index(room_of(name)) > height}
    assert not above


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {module: ours(imported(path)) & MODULES.keys() - {module} for module, path in MODULES.items()}
    while leaves := {module for module, names in graph.items() if not names}:
        graph = {module: names - leaves for module, names in graph.items() if module not in leaves}
    assert not graph


@pytest.mark.parametrize("package", FOREIGN)
def test_large_libraries_stay_in_their_rooms(package: str) -> None:
    for module, path in MODULES.items():
        if package in {name.partition(".")[0] for name in imported(path)}:
            assert any(module == r or module.startswith(f"{r}.") for r in FOREIGN[package]), f"{module}: {package}"


def test_the_rooms_are_few_and_none_is_crowded() -> None:
    folders = {path.parent for path in MODULES.values()}
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    assert len({folder for folder in folders if folder.parent == PACKAGE}) <= 10
    for folder in folders:
        assert len([p for p in folder.glob("*.py") if p.name != "__init__.py"]) <= 15, folder


@pytest.mark.parametrize("start", ["cli.application", "cli.commands.diagnose", "cli.help", "sweeps.sweeping"])
def test_no_chain_of_imports_leads_from_the_entry_to_torch(start: str) -> None:
    waiting, seen = [start], set()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in MODULES:
            continue
        seen.add(module)
        names = set(imported(MODULES[module], at_import=True))
        assert not {n for n in names if n.partition(".")[0] in ("torch", "matplotlib")}, module
        waiting += [name.removeprefix("experiments.") for name in names]


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
assert not {"torch._dynamo", "matplotlib", "polars", "tensorflow", "torch.utils.tensorboard"} & sys.modules.keys()
"""


def test_quick_answers_import_no_torch_and_the_manual_path_no_dynamo() -> None:
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
