"""What the tests of figures look at: the tutorial's table, a PNG's size, the words of a matplotlib figure."""

import struct
from typing import Any

import numpy as np

CROPS = np.array(
    [
        [73, 67, 43, 56, 70], [91, 88, 64, 81, 101], [87, 134, 58, 119, 133], [102, 43, 37, 22, 37],
        [69, 96, 70, 103, 119], [74, 66, 43, 57, 69], [91, 87, 65, 80, 102], [88, 134, 59, 118, 132],
        [101, 44, 37, 21, 38], [68, 96, 71, 104, 118], [73, 66, 44, 57, 69], [92, 87, 64, 82, 100],
        [87, 135, 57, 118, 134], [103, 43, 36, 20, 38], [68, 97, 70, 102, 120],
    ],
    dtype=float,
)  # fmt: skip
X, Y = CROPS[:, :3], CROPS[:, 3:]
FEATURES = [("temp", "°F"), ("rainfall", "mm"), ("humidity", "%")]


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, which this must be."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def words(figure: Any) -> str:
    """Every text of a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))
