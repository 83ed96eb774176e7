"""A value as the text of a cell: short, in one line, harmless to a terminal."""

import json
from typing import Any

from experiments.errors import one_line


def cell(value: Any, longest: int = 60) -> str:
    """`value` as people write it: numbers with six digits, null for nothing, no control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and all(isinstance(v, float) for v in value):
        value = "[" + ", ".join(f"{v:.6g}" for v in value) + "]"
    text = one_line(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= longest else text[: longest - 1] + "…"
