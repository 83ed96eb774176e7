"""The pages of docs/ that tell a story do what they show: their commands are run, their output is compared."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from docs import write_reference
from experiments.__main__ import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"tutorial": 7, "next_lessons": 7, "your_own_table": 11}
"""With the number of their commands."""
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a command prints, standard error last."""
    if words[0] == "head":
        return Path(words[2]).read_text().splitlines()[: -int(words[1])]
    assert words[0] == "experiments"
    assert main(words[1:]) == 0
    return "".join(capsys.readouterr()).splitlines()


def alike(found: str, shown: str) -> bool:
    """The same words, and numbers within a hundredth: rounding differs from one processor to another."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(NUMBER.findall(found), NUMBER.findall(shown), strict=True)
    values = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    return all(a == pytest.approx(b, rel=0.01, abs=0.01) for a, b in values)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_commands_print(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    page = DOCS / f"{name}.md"
    for file, code in re.findall(r"```python (\S+)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        Path(file).write_text(code, encoding="utf-8")
        monkeypatch.delitem(sys.modules, Path(file).stem, raising=False)
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), {})
    commands = 0
    for block in blocks(page, "console"):
        for part in block.split("$ ")[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            words = shlex.split(line)
            while "=" in words[0]:
                monkeypatch.setenv(*words.pop(0).split("=", 1))
            found = said(words, capsys)
            at = 0
            for expected in shown:
                if expected == "...":
                    continue
                at = next((i + 1 for i in range(at, len(found)) if alike(found[i], expected)), 0)
                assert at, (line, expected, found)
            if "..." not in shown:
                assert len(shown) == len(found), (line, found)
            commands += 1
    assert commands == PAGES[name]


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    place = DOCS.parent / page
    for target in re.findall(r"\]\(([^)#]+)\)", place.read_text(encoding="utf-8")):
        assert (place.parent / target).exists(), target


def test_the_reference_is_what_the_code_says() -> None:
    assert write_reference.PAGE.read_text(encoding="utf-8") == write_reference.page()
