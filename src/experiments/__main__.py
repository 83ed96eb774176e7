"""The entry: a bare word is a command, everything else goes to the Hydra application. Errors become one line."""

import gc
import os
import sys
from collections.abc import Sequence

from experiments.cli import COMMANDS
from experiments.cli.faults import DONE, explain
from experiments.errors import UserError, nearest

_ERASE = "\x1b[2K"
"""What a terminal empties the line by, see ECMA-48."""


def main(arguments: Sequence[str]) -> int:
    """Answer one command line; the exit status. Under HYDRA_FULL_ERROR=1 errors are raised."""
    try:
        _let_own_modules_in()
        return _answer(list(arguments))
    except BrokenPipeError:  # the reader, `head` say, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" and isinstance(error, Exception):
            raise
        status, text = explain(error)
    print(f"{_ERASE * sys.stderr.isatty()}error: {text}", file=sys.stderr)
    return status


def _let_own_modules_in() -> None:
    """The current folder as the last place to import from, however we were started.

    The user's own modules are there; but it may be a stranger's run folder with a torch.py in it, so never first.
    """
    here = os.getcwd()
    sys.path[:] = [place for place in sys.path if place not in ("", here)] + [here]


def _answer(arguments: list[str]) -> int:
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from experiments.cli.torchrun import main as shared

        gc.enable()
        return shared(arguments)
    word = arguments[0] if arguments else ""
    if word and word[0] not in "-+~" and "=" not in word:
        if word not in COMMANDS:
            raise UserError(
                f"{word}: no such command{nearest(word, COMMANDS) or '; there are ' + ', '.join(COMMANDS)}"
                " (an override has the form key=value)"
            )
        from importlib import import_module

        gc.enable()
        return import_module(f"experiments.cli.commands.{word}").main(arguments[1:])
    if "--version" in arguments:
        from experiments import __version__

        print(f"experiments {__version__}")
        return DONE
    if "--help" in arguments or "-h" in arguments:
        from experiments.cli.help import in_colour, text

        coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print((in_colour if coloured else str)(text(arguments)))
        return DONE
    _show_a_sign_of_life(arguments)
    from experiments.cli.application import main as application

    return application(arguments)


def _show_a_sign_of_life(arguments: list[str]) -> None:
    """A line on the terminal while Hydra is imported; the progress bar that comes, or an error, takes its place.

    A sweep has its bar on standard error, a run on standard output; other flags, and a dry run, have none.
    """
    flags = {word for word in arguments if word.startswith("-")}
    swept = flags and flags <= {"-m", "--multirun"}
    barred = (swept or (not flags and sys.stdout.isatty())) and not any("dry_run" in word for word in arguments)
    if barred and sys.stderr.isatty():
        print("composing the config ...", end="\r", file=sys.stderr, flush=True)


def entry() -> None:
    """The console script.

    What is imported before the first step stays: looking for garbage among a million new objects would take a tenth
    of the time. The collector is on again before anything is trained or read. At the end nothing has to be looked
    through either: without `freeze` the interpreter spends 0.4 s on torch's objects before it leaves.
    """
    gc.disable()
    status = main(sys.argv[1:])
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    entry()
