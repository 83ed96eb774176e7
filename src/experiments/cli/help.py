"""The text of `--help`: groups, choices, and a line on each key, from the schema."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config.schema import GROUPS, SECTIONS, Config, all_keys, keys
from experiments.errors import harmless

USAGE = """\
experiments [OVERRIDES]                    one run
experiments -m key=a,b seed='range(0,9)'   a sweep
experiments diagnose [OVERRIDES]           conditioning and learning-rate verdict, nothing trained
experiments compare [FOLDER...]            table of runs; --csv F, --html F, --png F, --sort METRIC, --group-by KEY
experiments predict RUN 75,63,44           one line per input row; also --table FILE
experiments diff RUN RUN                   what differs between two runs
experiments rerun RUN [OVERRIDES]          the stored config again
experiments resume FOLDER                  an unfinished run or sweep
experiments board [FOLDER]                 TensorBoard on this machine, with settings that suit many runs

An override is key=value or group=choice, as `optimizer=adam optimizer.lr=0.1`.
Hydra's flags work: --cfg job, --config-dir DIR, --multirun, --info, --shell-completion, --hydra-help.
"""
PRESETS = "from_scratch, builtins, standardized"


def text(arguments: Sequence[str] = ()) -> str:
    """The whole help; with --config-dir among the arguments also the groups in that folder. Raises UserError."""
    lines = [USAGE, "Groups (group=choice)"]
    lines += [f"  {group:<12}{', '.join(choices)}" for group, choices in GROUPS.items()]
    lines += [f"  {'experiment':<12}{PRESETS}", ""]
    if any(word.startswith(("--config-dir", "-cd")) for word in arguments):
        from experiments.config.command_line import read  # which takes Hydra, and the time to import it

        lines += _groups(read(arguments).config_dir)
    lines += ["Keys (key=value)", _line("seed", keys(Config)["seed"].metadata)]
    for section in (*SECTIONS, *GROUPS):
        lines += [_line(f"{section}.{name}", key.metadata) for name, key in all_keys(section).items()]
    return "\n".join(lines)


def _groups(folder: str) -> list[str]:
    """The groups and choices in a folder of the user's own."""
    choices: dict[str, list[str]] = {}
    for file in sorted(Path(folder).glob("*/*.yaml")):
        choices.setdefault(file.parent.name, []).append(file.stem)
    lines = [f"Groups in {folder}", *(f"  {group:<12}{', '.join(names)}" for group, names in choices.items())]
    return [*map(harmless, lines), ""]


def _line(name: str, rules: Mapping[str, Any]) -> str:
    return f"  {name:<36}{rules['help']}{_range(rules)}"


def _range(rules: Mapping[str, Any]) -> str:
    if "choices" in rules:
        return f" [{', '.join(str(c).lower() if isinstance(c, bool) else str(c) for c in rules['choices'])}]"
    signs = {"low": ">= ", "above": "> ", "high": "<= ", "below": "< "}
    if rules.get("high") == 2**63 - 1:
        return " [0 to 2^63-1]"
    bounds = [f"{sign}{rules[rule]:g}" for rule, sign in signs.items() if rule in rules]
    return f" [{', '.join(bounds)}]" if bounds else ""
