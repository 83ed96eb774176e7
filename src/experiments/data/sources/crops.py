"""The tutorial's table: yields of apples and oranges from temperature, rainfall and humidity, 15 regions."""

from dataclasses import dataclass

import torch

from experiments.data.dataset import Dataset

ROWS = (
    # temp  rain  humidity  apples  oranges
    (73, 67, 43, 56, 70),
    (91, 88, 64, 81, 101),
    (87, 134, 58, 119, 133),
    (102, 43, 37, 22, 37),
    (69, 96, 70, 103, 119),
    (74, 66, 43, 57, 69),
    (91, 87, 65, 80, 102),
    (88, 134, 59, 118, 132),
    (101, 44, 37, 21, 38),
    (68, 96, 71, 104, 118),
    (73, 66, 44, 57, 69),
    (92, 87, 64, 82, 100),
    (87, 135, 57, 118, 134),
    (103, 43, 36, 20, 38),
    (68, 97, 70, 102, 120),
)


def crops(rows: int) -> Dataset:
    """The first `rows` of the table, float64; the tutorial's new region [75, 63, 44] is the example."""
    table = torch.tensor(ROWS[:rows], dtype=torch.float64)
    return Dataset(
        x=table[:, :3],
        y=table[:, 3:],
        features=("temp", "rainfall", "humidity"),
        targets=("apples", "oranges"),
        feature_units=("°F", "mm", "%"),
        target_units=("t/ha", "t/ha"),
        quantities=("yield_apple", "yield_orange"),
        example=(75.0, 63.0, 44.0),
    )


@dataclass(frozen=True)
class Crops:
    """All 15 rows: the tutorial's second part."""

    def load(self) -> Dataset:
        return crops(15)


@dataclass(frozen=True)
class CropsSmall:
    """The first 5 rows: the tutorial's first part."""

    def load(self) -> Dataset:
        return crops(5)
