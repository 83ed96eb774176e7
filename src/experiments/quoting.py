"""Overrides as people type them, in the form that Hydra's grammar takes."""

import re

PIECES = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[,\[\]{}:])""")


def quoted(override: str) -> str:
    """The override with quotes around those values that hold letters or signs beyond ASCII.

    Hydra's grammar has none outside quotes, so that `data.units={temp: °F}`, `data.targets=[größe]` or a path with an
    accent would be refused. What is in quotes, and what has an interpolation, stays as it is.
    """
    key, sign, value = override.partition("=")
    if value.isascii() or "${" in value:
        return override
    pieces = PIECES.split(value)
    if value[:1] not in "[{" and not any(piece in ("'", '"') for piece in pieces) and ":" in pieces:
        pieces = [value]  # no list and no pairs: C:\... or a time of day
    return key + sign + "".join(piece if piece.isascii() or piece[0] in "'\"" else _quoted(piece) for piece in pieces)


def _quoted(piece: str) -> str:
    bare = piece.strip()
    return piece.replace(bare, "'" + bare.replace("'", "\\'") + "'")
