"""docs/your_own_table.md does what it shows: its commands are run, and their output is compared with the page's."""

import re
import shlex
from pathlib import Path

import pytest

from experiments.__main__ import main

PAGE = Path(__file__).parents[1] / "docs" / "your_own_table.md"
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


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


def test_the_page_shows_what_its_commands_print(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    exec(compile(blocks("python")[0], str(PAGE), "exec"), {})
    commands = 0
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            found = said(shlex.split(line), capsys)
            at = 0
            for expected in shown:
                if expected == "...":
                    continue
                at = next((i + 1 for i in range(at, len(found)) if alike(found[i], expected)), 0)
                assert at, (line, expected, found)
            if "..." not in shown:
                assert len(shown) == len(found), (line, found)
            commands += 1
    assert commands == 9
