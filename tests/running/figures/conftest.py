"""The matplotlib figures behind the PNGs."""

from typing import Any

import pytest

from experiments.running.figures import canvas


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The matplotlib figures that became PNGs."""
    kept: list[Any] = []
    original = canvas.png

    def keep(figure: Any, *title: str) -> bytes:
        kept.append(figure)
        return original(figure, *title)

    monkeypatch.setattr(canvas, "png", keep)
    return kept
