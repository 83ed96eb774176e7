"""The overrides of a sweep's jobs: every combination of the swept values, and which keys are swept."""

import math
from collections.abc import Iterator, Sequence
from typing import overload

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.types import HydraContext

from experiments.errors import UserError, one_line

OWN = ("sweep.resume", "sweep.dry_run")
"""Keys that speak of the session, not of its jobs."""
FOLD = "data.fold"


class Combinations(Sequence[list[str]]):
    """Every combination of one override from each list, the last list's changing first, made as they are asked for."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self.lists = lists

    def __len__(self) -> int:
        return math.prod(map(len, self.lists))

    @overload
    def __getitem__(self, at: int) -> list[str]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[str]]: ...
    def __getitem__(self, at: int | slice) -> list[str] | list[list[str]]:
        if isinstance(at, slice):
            return [self[k] for k in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        at %= len(self)
        chosen = []
        for values in reversed(self.lists):
            at, place = divmod(at, len(values))
            chosen.append(values[place])
        return chosen[::-1]

    def __iter__(self) -> Iterator[list[str]]:
        return (self[at] for at in range(len(self)))


def jobs_of(arguments: Sequence[str], context: HydraContext) -> tuple[Combinations, set[str]]:
    """The overrides of every job, in the order in which Hydra counts them, and the keys that are swept.

    Raises UserError for values that have no end, are none, or can't be read.
    """
    parser = OverridesParser.create(config_loader=context.config_loader)
    lists: dict[str, list[str]] = {}
    swept = set()
    for override in parser.parse_overrides(list(arguments)):
        name = override.get_key_element()
        if override.is_sweep_override():
            swept.add(key_of(name))
            lists[name] = discrete(override, name, context)
        elif key_of(name) not in OWN:
            lists[name] = [single(override, name)]
    return Combinations(list(lists.values())), swept


def over_folds(job: Sequence[str], folds: int | None) -> list[list[str]]:
    """The overrides of a job once for each fold, where it has `data.folds` but says not which; else the job alone.

    `folds`: those of the config that it is composed with.
    """
    given = {key_of(override): override.partition("=")[2] for override in job}
    own = given.get("data.folds", folds)
    if FOLD in given or not str(own).isdecimal():
        return [list(job)]
    return [[*job, f"{FOLD}={fold}"] for fold in range(int(str(own)))]


def discrete(override: Override, name: str, context: HydraContext) -> list[str]:
    """The overrides that a swept one stands for."""
    said = override.input_line
    if not override.is_discrete_sweep():
        raise UserError(f"{said}: an interval has no end of values; use range or a list")
    try:
        values = [f"{name}={value}" for value in override.sweep_string_iterator()]
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UserError(f"{said}: {one_line(error)}") from None
    if values:
        return values
    if not isinstance(override.value(), Glob):
        raise UserError(f"{said}: there is no value in it; range(a,b) goes from a up to b, without b")
    choices = context.config_loader.get_group_options(key_of(name))
    if not choices:
        raise UserError(f"{said}: glob is for groups, and {key_of(name)} is none; list its values, as a,b,c or range")
    raise UserError(f"{said}: no choice of {key_of(name)} is like that; there are {', '.join(choices)}")


def single(override: Override, name: str) -> str:
    """The override of one value, `key=value` or `~key`, as each job has it."""
    if override.is_delete():
        return override.input_line or name
    return f"{name}={override.get_value_element_as_str()}"


def key_of(override: str) -> str:
    """What stands left of an override's equals sign, without + and ~."""
    return override.lstrip("+~").partition("=")[0]


def columns(batches: Sequence[Sequence[str]], varied: Sequence[str]) -> dict[str, list[str]]:
    """A column for each key that varies: the jobs' values as their overrides have them, "" without one."""
    split = [[o.lstrip("+~").partition("=") for o in overrides] for overrides in batches]
    given = [{key: value for key, _, value in overrides} for overrides in split]
    return {name: [values.get(name, "") for values in given] for name in varied}
