"""README.md and the pages of docs/ do what they show: their commands are run, their output is compared."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from docs import write_reference
from experiments.__main__ import main
from experiments.cli import COMMANDS
from experiments.config.schema import GROUPS, SECTIONS, all_keys

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in DOCS.glob("*.md"))]
PAGES = {
    "README.md": 15, "docs/tutorial.md": 7, "docs/next_lessons.md": 7, "docs/your_own_table.md": 11,
    "docs/sweeps.md": 3, "docs/comparing.md": 13, "docs/search.md": 3, "docs/python.md": 0,
}  # fmt: skip
"""With the number of their commands."""
CROPS = "temp,rainfall,humidity,apples\n73,67,43,56\n91,88,64,81\n87,134,58,119\n102,43,37,22\n69,96,70,103\n"
GIVEN = {"README.md": {"yields.csv": CROPS}}
"""Files that a reader of the page would have."""
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
FILES = ("json", "safetensors", "yaml", "onnx", "log", "csv", "parquet")
"""Endings of files that are called as a group is."""
OWN = ("falling", "sign", "mine")
"""Choices that the pages name as the reader's own."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(page: str) -> Iterator[tuple[str, list[str] | None]]:
    """The page's commands in their order, with the lines shown below each; None where none are.

    Code that stands before a command has been run and its files have been written.
    """
    for kind, name, code in BLOCK.findall(text_of(page)):
        if kind == "python" and not name:
            exec(compile(code, page, "exec"), {})
        elif kind == "python" and not name.startswith("src/"):
            Path(name).write_text(code, encoding="utf-8")
            sys.modules.pop(Path(name).stem, None)
        elif kind == "console":
            for part in code.split("$ ")[1:]:
                line, *shown = part.rstrip("\n").split("\n")
                yield line, shown
        elif kind == "bash":
            yield from ((line, None) for line in code.splitlines())


def said(line: str, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command prints, standard error last."""
    words = shlex.split(line, comments=True)
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    if words == ["make", "run"]:
        assert re.search(r"^run:.*\n\t@\$\(BIN\)/experiments\n", (ROOT / "Makefile").read_text(), re.MULTILINE)
        words = ["experiments"]
    if words[0] == "head":
        return Path(words[2]).read_text().splitlines()[: -int(words[1])]
    assert words[0] == "experiments"
    a_run = any("=" in word for word in words[1:2])
    assert main([*words[1:], *["tracking.figures=false"] * a_run]) == status, line  # figures have tests of their own
    return "".join(capsys.readouterr()).splitlines()


def alike(found: str, shown: str) -> bool:
    """The same words, and numbers within a hundredth: rounding differs from one processor to another."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(NUMBER.findall(found), NUMBER.findall(shown), strict=True)
    values = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    return all(a == pytest.approx(b, rel=0.01, abs=0.01) for a, b in values)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_commands_print(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    for name, content in GIVEN.get(page, {}).items():
        Path(name).write_text(content)
    count = 0
    for line, shown in commands(page):
        failing = any(text.startswith("error: ") for text in shown or ())
        found = said(line, int(failing), capsys, monkeypatch)
        at = 0
        for expected in shown or ():
            if expected == "...":
                continue
            at = next((i + 1 for i in range(at, len(found)) if alike(found[i], expected)), 0)
            assert at, (line, expected, found)
        if shown is not None and "..." not in shown:
            assert len(shown) == len(found), (line, found)
        count += 1
    assert count == PAGES[page]


@pytest.mark.parametrize("page", ["docs/clusters.md", "docs/data_parallel.md"])
def test_what_is_for_other_machines_is_understood_here(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Sweeps for a cluster are planned, runs for torchrun are trained by one process; test_on_ray and so on do more."""
    price = {"area": [float(i % 97) for i in range(9000)], "price": [2.0 * (i % 97) + 1 for i in range(9000)]}
    pl.DataFrame(price).write_parquet("rows.parquet")
    indented = re.sub(r" \\\n +", " ", text_of(page))
    found = re.findall(r"^    (?:experiments|torchrun .*-m experiments) (.*=.*)", indented, re.MULTILINE)
    assert len(found) == 2
    for line in found:
        words = shlex.split(line.replace(" ... ", f" {found[0]} "))
        if "-m" in words and ("engine=ray" not in line or find_spec("ray")):
            few = ["seed=range(0,4)" if word.startswith("seed=") else word for word in words]
            assert main([*few, "sweep.dry_run=true"]) == 0, line
            assert "4 jobs, 0 refused" in capsys.readouterr().out
        elif "-m" not in words:
            assert main([*words, "data.block_rows=1000", "optimizer.lr=1e-5", "tracking.figures=false"]) == 0, line


def words_of(page: str) -> Iterator[list[str]]:
    """Everything between backticks, line by line in words; what the shell quotes is one word."""
    text = text_of(page)
    lines = [line for kind, _, code in BLOCK.findall(text) if kind != "python" for line in code.splitlines()]
    lines += re.findall(r"`([^`]+)`", BLOCK.sub("", text))
    for line in lines:
        try:
            yield shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:  # prose that a run printed
            continue


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_names_what_there_is(page: str) -> None:
    """Links lead somewhere; files, commands, flags, keys and choices exist."""
    for target in re.findall(r"\]\(([^)#]+)\)", text_of(page)):
        assert ((ROOT / page).parent / target).exists(), target
    places = "|".join((*GROUPS, *SECTIONS))
    for words in words_of(page):
        if "experiments" in words and (after := words[words.index("experiments") + 1 :]) and after[0].isalpha():
            assert after[0] in COMMANDS, words
            known = {flag for action in write_reference.parser_of(after[0])._actions for flag in action.option_strings}
            assert {word for word in after if word.startswith("--")} <= known, words
        for word in words:
            if re.fullmatch(r"(benchmarks|conf|docs|src|tests)/[\w/.]+", word):
                assert (ROOT / word).exists() or any(own in word for own in OWN) or f" {word}\n" in text_of(page), word
            if key := re.fullmatch(rf"\+?({places})\.([a-z_0-9]+)(=.*)?", word):
                assert key[2] in {"_target_", *all_keys(key[1])} or word[0] == "+" or key[2] in FILES, word
            if choice := re.fullmatch(rf"({'|'.join(GROUPS)})=([a-z_0-9,|]+)", word.rstrip(",")):
                assert set(re.split("[,|]", choice[2])) <= {*GROUPS[choice[1]], *OWN}, word
    for module in re.findall(r"python -m (benchmarks\.[a-z_]+)", text_of(page)):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


def test_the_index_has_every_page() -> None:
    linked = re.findall(r"\]\((\w+\.md)\)", text_of("docs/README.md"))
    assert sorted(linked) == sorted(page.name for page in DOCS.glob("*.md") if page.name != "README.md")


def test_the_readme_says_how_a_command_is_added(tmp_path: Path) -> None:
    """In a copy of the package: the module that it shows, and its name in the table."""
    (path, code), *others = re.findall(
        r"^```python (src/\S+)\n(.*?)^```", text_of("README.md"), re.DOTALL | re.MULTILINE
    )
    assert not others and main(["training.epochs=3", "tracking.figures=false"]) == 0
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / path).write_text(code, encoding="utf-8")
    table = tmp_path / "src/experiments/cli/__init__.py"
    table.write_text(table.read_text().replace("COMMANDS = (", f'COMMANDS = ("{Path(path).stem}", '))
    python = [sys.executable, "-m", "experiments", Path(path).stem]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run([*python, "last"], env=environment, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["1", "2", "3"] and all(float(row[1]) > 0 for row in rows)
    done = subprocess.run([*python, "nowhere"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: nowhere")


def test_the_ratios_of_the_readme_are_those_that_were_measured() -> None:
    measured = {float(n) for n in re.findall(r"\d+(?:\.\d+)?", text_of("docs/speed.md") + text_of("docs/search.md"))}
    rows = [line.split("|")[1:-1] for line in text_of("README.md").splitlines() if line.startswith("| ")]
    ratios = [float(n) for row in rows[1:] for n in re.findall(r"\d+(?:\.\d+)?", row[2])]
    assert len(ratios) > 8
    for ratio in ratios:
        assert any(ratio == m or ratio == round(m) or (m and ratio == round(1 / m, 2)) for m in measured), ratio


def test_the_digits_are_those_that_are_found() -> None:
    """Of the sets as NIST has them, in memory; what others find differs from one build of LAPACK to another."""
    from benchmarks import digits  # which takes torch and scikit-learn
    from experiments.exact.optimum import solve

    table = text_of("docs/digits.md").split("repeated to")[0]
    rows = [line.split() for line in table.splitlines() if line.endswith(" holds")]
    assert [row[0] for row in rows] == sorted(path.stem for path in digits.NIST.glob("*.txt"))
    for name, memory, *_, peers, _ in rows:
        x, y, bias, certified = digits.certified(name)
        found = digits.digits(digits.listed(solve(x, y, bias=bias), bias), certified)
        assert found == pytest.approx(float(memory), abs=0.3) and found > float(peers), name


def test_pictures_are_small_shown_and_drawn_by_a_script() -> None:
    pages = "".join(map(text_of, TEXTS))
    scripts = (DOCS / "draw_pictures.py").read_text() + (ROOT / "benchmarks/scaling.py").read_text()
    for picture in sorted((DOCS / "pictures").iterdir()):
        assert picture.read_bytes()[:4] == b"\x89PNG" and picture.stat().st_size < 150_000
        assert f"pictures/{picture.name}" in pages
        assert picture.stem in scripts
