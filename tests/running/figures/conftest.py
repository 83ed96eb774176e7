"""The matplotlib figures behind the PNGs."""

from collections.abc import Callable
from typing import Any

import pytest

from experiments.running.figures import canvas


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The matplotlib figures that became PNGs."""
    kept: list[Any] = []

    def keep(figure: Any, original: Callable[[Any], bytes] = canvas.png) -> bytes:
        kept.append(figure)
        return original(figure)

    monkeypatch.setattr(canvas, "png", keep)
    return kept
