"""The text of `--help`: groups, choices, and a line on each key, from the schema."""

import dataclasses
from typing import Any

from experiments.config.schema import GROUPS, SECTIONS, Config

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


def text() -> str:
    """The whole help."""
    lines = [USAGE, "Groups (group=choice)"]
    lines += [f"  {group:<12}{', '.join(choices)}" for group, choices in GROUPS.items()]
    lines += [f"  {'experiment':<12}{PRESETS}", "", "Keys (key=value)"]
    lines += _keys("", {"seed": next(f for f in dataclasses.fields(Config) if f.name == "seed")})
    for section, schema in SECTIONS.items():
        lines += _keys(f"{section}.", {f.name: f for f in dataclasses.fields(schema)})
    for group, choices in GROUPS.items():
        lines += _keys(f"{group}.", _all_keys(choices))
    return "\n".join(lines)


def _all_keys(choices: dict[str, type]) -> dict[str, dataclasses.Field]:
    """Every key that some choice of a group has, once."""
    return {f.name: f for schema in choices.values() for f in dataclasses.fields(schema)}


def _keys(prefix: str, fields: dict[str, dataclasses.Field]) -> list[str]:
    return [f"  {prefix + name:<36}{f.metadata['help']}{_range(f.metadata)}" for name, f in fields.items()]


def _range(rules: Any) -> str:
    if "choices" in rules:
        return f" [{', '.join(str(c).lower() if isinstance(c, bool) else str(c) for c in rules['choices'])}]"
    signs = {"low": ">= ", "above": "> ", "high": "<= ", "below": "< "}
    if rules.get("high") == 2**63 - 1:
        return " [0 to 2^63-1]"
    bounds = [f"{sign}{rules[rule]:g}" for rule, sign in signs.items() if rule in rules]
    return f" [{', '.join(bounds)}]" if bounds else ""
