"""Overrides as people type them, in the form that Hydra's grammar takes."""

import json
import re

PIECES = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[,\[\]{}:])""")
TEXT = r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?:[^'",:{}\[\]\\]|\\.)*)\s*"""
PAIR = re.compile(rf"{TEXT}:{TEXT}(,|$)")


def quoted(override: str) -> str:
    """The override with quotes around those values that hold letters or signs beyond ASCII.

    Hydra's grammar has none outside quotes, so that `data.units={temp: °F}`, `data.targets=[größe]` or a path with an
    accent would be refused. What is in quotes, and what has an interpolation, stays as it is. Names before a colon
    can have no quotes at all: pairs with such names, `data.units={größe: cm, 'a=b': mm}`, become JSON within quotes.
    """
    key, sign, value = override.partition("=")
    if "${" in value:
        return override
    pairs = _pairs(value)
    if any(name[:1] in "'\"" or not name.isascii() for name in pairs):
        texts = json.dumps({_bare(name): _bare(text) for name, text in pairs.items()}, ensure_ascii=False)
        return key + sign + "'" + texts.replace("'", "\\u0027") + "'"
    if value.isascii():
        return override
    pieces = PIECES.split(value)
    if value[:1] not in "[{" and not any(piece in ("'", '"') for piece in pieces) and ":" in pieces:
        pieces = [value]  # no list and no pairs: C:\... or a time of day
    return key + sign + "".join(piece if piece.isascii() or piece[0] in "'\"" else _quoted(piece) for piece in pieces)


def _quoted(piece: str) -> str:
    bare = piece.strip()
    return piece.replace(bare, "'" + bare.replace("'", "\\'") + "'")


def _pairs(value: str) -> dict[str, str]:
    """The names and texts of `{name: text, ...}` as they are typed, nothing for what is none."""
    value = value.strip()
    if len(value) < 2 or value[0] + value[-1] != "{}":
        return {}
    found, at, inner = {}, 0, value[1:-1]
    while at < len(inner):
        pair = PAIR.match(inner, at)
        if pair is None:
            return {}
        found[pair[1].strip()] = pair[2].strip()
        at = pair.end()
    return found


def _bare(text: str) -> str:
    """A text without its quotes and backslashes."""
    if text[:1] in "'\"":
        return re.sub(r"\\(['\"\\])", r"\1", text[1:-1])
    return re.sub(r"\\(.)", r"\1", text)
