"""From a `_target_` to an object: the only place where a name in a config becomes code.

Only a class is accepted, only from a module in the allowed packages, only when the class was itself defined
there, and only below the base that the caller asks for. Attributes are never walked through modules, so a
re-export such as `torch.nn.parallel.distributed.os` leads nowhere. What is allowed beyond our own packages
stands in the environment, where no config reaches.
"""

import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from experiments.errors import UserError, nearest

ALLOWED = ("experiments", "torch.nn", "torch.optim")
TRUSTED = "EXPERIMENTS_TRUSTED_MODULES"
"""Environment variable: further modules, separated by commas."""


def locate(key: str, target: str, bases: tuple[type, ...]) -> type:
    """The class that `target` (`package.module.Class`) names, a subclass of one of `bases`.

    `key` is the config key that the target stands under, for the message. Raises UserError.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in target.split(".")):
        raise UserError(f"{key}={target}: must be a class as package.module.Class")
    if not _allowed(module_name):
        raise UserError(f"{key}={target}: the module is not trusted; to use your own class set {TRUSTED}={module_name}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise UserError(f"{key}={target}: there is no module {error.name}") from None
        raise
    found = vars(module).get(name)
    if not inspect.isclass(found):
        classes = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, bases)]
        raise UserError(f"{key}={target}: {module_name} has no class {name}{nearest(name, classes)}")
    if not _allowed(found.__module__):
        raise UserError(f"{key}={target}: the class comes from {found.__module__}, which is not trusted")
    if not issubclass(found, bases):
        wanted = " or ".join(base.__name__ for base in bases)
        raise UserError(f"{key}={target}: is no subclass of {wanted}")
    return found


def build(key: str, target: type, arguments: Mapping[str, Any]) -> Any:
    """`target(**arguments)`; arguments that the class does not take are a UserError that names them."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):  # a class written in C: let it speak for itself
        parameters = None
    if parameters is not None and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in arguments:
            if name not in parameters:
                raise UserError(f"{key}.{name}: {target.__name__} has no such argument{nearest(name, parameters)}")
    try:
        return target(**arguments)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{key}: {target.__name__} refused its arguments: {error}") from error


def accepted(target: type, arguments: Mapping[str, Any], *, anything: bool = False) -> dict[str, Any]:
    """Those of `arguments` that the constructor of `target` has a name for; all, with `anything`, for `**kwargs`."""
    parameters = inspect.signature(target).parameters
    if anything and any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(arguments)
    return {k: v for k, v in arguments.items() if k in parameters}


def needs_no_argument(function: Callable[..., Any]) -> bool:
    """Whether `function()` is a complete call."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    return True


def own_code(error: BaseException | None) -> str:
    """Where an exception, or its cause, last passed through a trusted module: `mine.py, line 12`, or nothing."""
    found, seen = "", set[int]()
    while error is not None and id(error) not in seen:  # `raise error from error` is its own cause
        seen.add(id(error))
        for frame, line in traceback.walk_tb(error.__traceback__):
            if _among(str(frame.f_globals.get("__name__")), _trusted()):
                found = f"{os.path.relpath(frame.f_code.co_filename)}, line {line}"
        error = error.__cause__
    return found


def _allowed(module: str) -> bool:
    return _among(module, (*ALLOWED, *_trusted()))


def _trusted() -> list[str]:
    return [module for m in os.environ.get(TRUSTED, "").split(",") if (module := m.strip())]


def _among(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)
