"""The user's mistakes: one line each, with the nearest right name. Nothing here knows what was asked for."""

import difflib
from collections.abc import Iterable

LONGEST = 2_000
"""Characters of a line at most: a value in a message may be as long as a file."""


class UserError(ValueError):
    """A request that can't be met. Its text is one line: the value, why it is wrong, what to do."""


class Failure(RuntimeError):
    """Something went wrong that was no mistake in the request: one line, exit status 1."""


class DataChanged(Failure):
    """The data can't be read as they were when they were opened. What a run has so far is kept, to be resumed."""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The clause `; did you mean X?` for the candidate most like `name`, or nothing when none is like it."""
    found = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def one_line(text: object) -> str:
    """`text` without line breaks or control characters, so that an error stays one harmless line."""
    words = " ".join(str(text)[: 2 * LONGEST].split())
    if len(words) > LONGEST:
        words = words[:LONGEST] + " ..."
    return harmless(words)


def harmless(line: str) -> str:
    """A line without control characters: names in it may come from a stranger's file."""
    return "".join(c if c.isprintable() else "?" for c in line)
