"""Overrides as people type them, in the form that Hydra's grammar takes: it has no letters beyond ASCII."""

import json
import re

import yaml

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
QUOTED_NAME = re.compile(r"""[{,]\s*['"]""")


def quoted(override: str) -> str:
    """The override with quotes around those values that hold letters or signs beyond ASCII.

    So `data.units={temp: °F}`, `data.targets=[größe]` and a path with an accent can be typed as they are. What is in
    quotes, or has an interpolation, stays. The grammar takes no quotes around the names of pairs: where names need
    them, as in `data.units={größe: cm, 'a=b': mm}`, the pairs are read as YAML and become JSON within quotes. A query
    in SQL, which has commas, brackets and quotes of its own, is taken as a whole, and so is the address of a database.
    """
    key, sign, value = override.partition("=")
    whole = key.lstrip("+") == "data.query" or (key.lstrip("+") == "data.uri" and "," not in value)
    if whole and value != "null" and value[:1] not in ("", "'", '"') and "${" not in value:
        return key + sign + in_quotes(value)
    if "${" in value or (value.isascii() and not QUOTED_NAME.search(value)):
        return override
    names = _pairs(value)
    if names and (QUOTED_NAME.search(value) or not all(map(str.isascii, names))):
        return key + sign + "'" + json.dumps(names, ensure_ascii=False).replace("'", "\\u0027") + "'"
    ends = r",\[\]{}:" if value[:1] in "[{" else ","
    piece = rf"({QUOTED})|(?:(?!{QUOTED})[^{ends}])+"
    return key + sign + re.sub(piece, lambda found: found[0] if found[1] else _beyond_ascii(found[0]), value)


def _pairs(value: str) -> dict[str, str]:
    """The names and texts of `{name: text, ...}`, nothing for what is none."""
    try:
        found = yaml.load(value, Loader=yaml.BaseLoader) if value[:1] == "{" else None
    except yaml.YAMLError:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) and text for text in (*found, *found.values())):
        return {}
    return found


def _beyond_ascii(piece: str) -> str:
    bare = piece.strip()
    return piece if bare.isascii() else piece.replace(bare, in_quotes(bare))


def in_quotes(text: str) -> str:
    """A text as one quoted value of an override; Hydra reads a backslash as such, but before a quotation mark."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text) + "'"
