"""What is searched: distributions from Hydra's own syntax, and the overrides of a setting."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.types import HydraContext
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from experiments.config.schema import GROUPS, all_keys, keys
from experiments.errors import UserError, nearest
from experiments.sweeps.compose.overrides import FOLD, OWN, discrete, key_of, over_folds, single


@dataclass(frozen=True)
class Space:
    """`given`: each key of the command line in its order, with its override; None where it is searched."""

    given: dict[str, str | None]
    distributions: dict[str, BaseDistribution]
    """By the keys that are searched, groups first: which others there are depends on their choices."""

    def ask(self, suggest: Callable[[str, BaseDistribution], Any]) -> dict[str, Any]:
        """A setting, of the values that are suggested for its keys."""
        setting: dict[str, Any] = {}
        for key, known in self.distributions.items():
            if _has(key, setting):
                setting[key] = suggest(key, known)
        return setting

    def overrides(self, setting: Mapping[str, Any]) -> list[str]:
        """The overrides of a setting's jobs, all but the seed; those of keys that its choices lack are left out."""
        found = []
        for key, override in self.given.items():
            if override is None and key in setting:
                found.append(f"{key}={setting[key]}")
            elif override is not None and _has(key, setting):
                found.append(override)
        return found

    def repeats(self, seeds: Iterable[int], folds: int | None) -> list[list[str]]:
        """The overrides of each of a setting's runs besides its own: a seed, and with it each fold if none is named.

        `folds`: those of the config.
        """
        own = [override for override in self.given.values() if override]
        return [[o for o in job if o not in own] for seed in seeds for job in over_folds([*own, f"seed={seed}"], folds)]


def read(arguments: Sequence[str], context: HydraContext) -> Space:
    """The space of a command line. Raises UserError for a distribution without values, and where none is given."""
    given: dict[str, str | None] = {}
    found: dict[str, BaseDistribution] = {}
    for override in OverridesParser.create(config_loader=context.config_loader).parse_overrides(list(arguments)):
        name = override.get_key_element()
        if override.is_sweep_override():
            if key_of(name) == "seed":
                raise UserError(
                    f"{override.input_line}: the seed is never searched; search.seeds=5 gives a setting five"
                )
            if key_of(name) in ("data.folds", FOLD):
                raise UserError(
                    f"{override.input_line}: folds are never searched; data.folds=5 gives a setting a run on each"
                )
            found[name], given[name] = _distribution(override, name, context), None
        elif key_of(name) not in (*OWN, "seed"):
            given[name] = single(override, name)
    if not found:
        raise UserError("nothing is searched: give a key values, as optimizer.lr='tag(log,interval(1e-6,1e-1))'")
    return Space(given, dict(sorted(found.items(), key=lambda item: key_of(item[0]) not in GROUPS)))


def _has(key: str, setting: Mapping[str, Any]) -> bool:
    """Whether the choice of a group that is searched has a key; those of the user's own may have any."""
    group, _, name = key_of(key).partition(".")
    schema = GROUPS.get(group, {}).get(str(setting.get(group)))
    return not name or schema is None or name in keys(schema)


def _distribution(override: Override, name: str, context: HydraContext) -> BaseDistribution:
    said, value = override.input_line, cast(Any, override.value())
    low: Any
    high: Any
    if getattr(value, "shuffle", False):  # an order by chance, another one in each session
        value.shuffle = False
    tags = getattr(value, "tags", set())
    if odd := sorted(tags - {"log"}):
        raise UserError(f"{said}: no such tag as {odd[0]}{nearest(odd[0], ['log']) or '; there is log'}")
    if isinstance(value, IntervalSweep):
        low, high, step = value.start, value.end, None
        if _whole(key_of(name)):
            low, high = (round(end) if math.isfinite(end) else end for end in (low, high))
    elif isinstance(value, RangeSweep):
        numbers = value.range()
        last = numbers[-1] if isinstance(numbers, range) and numbers else discrete(override, name, context)[-1]
        low, high = sorted((cast(Any, value).start, _number(last)))
        step = None if tags and value.step == 1 else abs(value.step)
    else:
        if tags:
            raise UserError(f"{said}: a log scale is for interval and range, not for choices")
        return CategoricalDistribution([text.partition("=")[2] for text in discrete(override, name, context)])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError(f"{said}: both ends must be finite numbers")
    if low > high or (low == high and isinstance(value, IntervalSweep)):
        raise UserError(f"{said}: there is no value in it; interval(a,b) goes from a up to a larger b")
    if tags and (low <= 0 or step is not None):
        why = f"can't reach {low:g}; begin above 0" if low <= 0 else "has no steps; leave them out"
        raise UserError(f"{said}: a log scale {why}")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=bool(tags), step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=bool(tags), step=None if step is None else float(step))


def _whole(key: str) -> bool:
    """Whether the schema takes whole numbers only for a key."""
    section, _, name = key.partition(".")
    try:
        kind = all_keys(section)[name].type if name else None
    except KeyError:
        return False
    return kind in (int, int | None)


def _number(last: int | str) -> int | float:
    """The last number of a range, or of its overrides."""
    return last if isinstance(last, int) else float(last.partition("=")[2])
