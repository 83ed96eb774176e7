"""The text of `--help`: groups, choices, and a line on each key, from the schema."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config.schema import GROUPS, SECTIONS, Config, all_keys, keys
from experiments.errors import UserError, harmless, nearest

USAGE = """\
experiments [OVERRIDES]                    one run
experiments -m key=a,b seed='range(0,9)'   a sweep
experiments diagnose [OVERRIDES]           conditioning and learning-rate verdict, nothing trained
experiments compare [FOLDER...]            table of runs; --csv F, --html F, --png F, --sort METRIC, --group-by KEY
experiments predict RUN 75,63,44           one line per input row; also --table FILE
experiments test RUN                       the metrics on the rows of data.test, which nothing else reads
experiments export RUN --onnx FILE         the model for other programs; --card FILE describes it
experiments diff RUN RUN                   what differs between two runs
experiments rerun RUN [OVERRIDES]          the stored config again
experiments resume FOLDER                  an unfinished run or sweep
experiments board [FOLDER]                 TensorBoard on this machine, with settings that suit many runs
experiments list                           what is kept, how old, how large; --where SQL, --older-than 7d
experiments remove RUN|SWEEP ...           for good, after asking; --where and --older-than choose too

An override is key=value or group=choice, as `optimizer=adam optimizer.lr=0.1`.
Hydra's flags work: --cfg job, --config-dir DIR, --multirun, --info, --shell-completion, --hydra-help.
"""
MORE = "experiments --help all has every key; experiments --help optimizer those of one group or section."
PRESETS = "from_scratch, builtins, standardized, lr_map"
USUAL = (
    "optimizer.lr", "training.epochs", "training.batch_size", "training.patience", "data.path", "data.inputs",
    "data.targets", "data.validation", "data.standardize", "seed",
)  # fmt: skip
"""The keys that are used most."""


def text(arguments: Sequence[str] = ()) -> str:
    """The help: an overview, or with `all`, a group or a section among the arguments, the keys there.

    With --config-dir also the groups in that folder. Raises UserError.
    """
    places = (*SECTIONS, *GROUPS)
    chosen = [word for word in _words(arguments) if "=" not in word and word[0] not in "-+~"]
    for word in chosen:
        if word not in (*places, "all"):
            raise UserError(f"--help {word}: there is no such group{nearest(word, places)}; --help all has every key")
    if chosen and "all" not in chosen:
        return "\n".join(line for place in chosen for line in [*_choices(place), *_keys(place), ""]).rstrip("\n")
    lines = [USAGE, "Groups (group=choice)"]
    lines += [f"  {group:<12}{', '.join(choices)}" for group, choices in GROUPS.items()]
    lines += [f"  {'experiment':<12}{PRESETS}", ""]
    if any(word.startswith(("--config-dir", "-cd")) for word in arguments):
        from experiments.config.command_line import read  # which takes Hydra, and the time to import it

        lines += _groups(read([word for word in arguments if word not in chosen]).config_dir)
    known = {"seed": keys(Config)["seed"].metadata}
    known |= {f"{place}.{name}": key.metadata for place in places for name, key in all_keys(place).items()}
    if chosen:
        return "\n".join([*lines, "Keys (key=value)", *(_line(name, rules) for name, rules in known.items())])
    return "\n".join([*lines, "Keys used most (key=value)", *(_line(name, known[name]) for name in USUAL), "", MORE])


def in_colour(plain: str) -> str:
    """The help as a terminal shows it: headings bold, names of keys and commands in colour."""
    bold = re.sub(r"^(?=\S)(?!experiments )(.*)(?=\n  )", "\x1b[1m\\1\x1b[0m", plain, flags=re.M)
    return re.sub(r"^(experiments (?!--help)\S*|  \S+)", "\x1b[36m\\1\x1b[0m", bold, flags=re.M)


def _words(arguments: Sequence[str]) -> list[str]:
    """The arguments without --config-dir and what belongs to it."""
    flags = ("--config-dir", "-cd")
    return [w for before, w in zip(["", *arguments], arguments, strict=False) if w and before not in flags]


def _choices(place: str) -> list[str]:
    return [f"{place}={' | '.join(GROUPS[place])}"] if place in GROUPS else [f"{place} (section)"]


def _keys(place: str) -> list[str]:
    return [_line(f"{place}.{name}", key.metadata) for name, key in all_keys(place).items()]


def _groups(folder: str) -> list[str]:
    """The groups and choices in a folder of the user's own."""
    choices: dict[str, list[str]] = {}
    for file in sorted(Path(folder).glob("*/*.yaml")):
        choices.setdefault(file.parent.name, []).append(file.stem)
    lines = [f"Groups in {folder}", *(f"  {group:<12}{', '.join(names)}" for group, names in choices.items())]
    return [*map(harmless, lines), ""]


def _line(name: str, rules: Mapping[str, Any]) -> str:
    return f"  {name:<36}{in_words(rules)}"


def in_words(rules: Mapping[str, Any]) -> str:
    """What a key is for, and the values that it takes."""
    return rules["help"] + _range(rules)


def _range(rules: Mapping[str, Any]) -> str:
    if "choices" in rules:
        return f" [{', '.join(str(c).lower() if isinstance(c, bool) else str(c) for c in rules['choices'])}]"
    signs = {"low": ">= ", "above": "> ", "high": "<= ", "below": "< "}
    if rules.get("high") == 2**63 - 1:
        return " [0 to 2^63-1]"
    bounds = [f"{sign}{rules[rule]:g}" for rule, sign in signs.items() if rule in rules]
    return f" [{', '.join(bounds)}]" if bounds else ""
