"""The loss of a linear model over its weights, and the plane through them that a picture can show.

A model has many weights and a picture two axes. The plane goes through the start, the end and the exact optimum: the
map shows the true loss there, and the rest of the path projected. (Principal directions of the path alone, as in Li et
al., 2018, miss the steep directions, which are short and carry most of the loss.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.running.figures.canvas import word


@dataclass(frozen=True)
class Landscape:
    """The objective over the weights of y = x w^T + b, as they are trained; its value is in the table's units.

    Weights are (params,): weight (targets, features) row by row, then the bias (targets,) if there is one. x (n,
    features) and y (n, targets) are as trained; `scale` (targets,) is what one of y is in the table's units. Without
    `loss`, which is called as loss(prediction, y) with both in the table's units, it is the mean squared error.
    `penalty` of weight (targets, features) is added.
    """

    x: np.ndarray
    y: np.ndarray
    bias: bool
    features: Sequence[str]
    scale: np.ndarray | float = 1.0
    loss: Callable[[np.ndarray, np.ndarray], float] | None = None
    penalty: Callable[[np.ndarray], float] | None = None

    @property
    def squares_alone(self) -> bool:
        """Whether the objective is the mean squared error and nothing else."""
        return self.loss is None and self.penalty is None

    @property
    def standardized(self) -> bool:
        """Whether the targets are trained on in other units than the table's."""
        return np.ndim(self.scale) > 0

    def weight(self, weights: np.ndarray) -> np.ndarray:
        """(params,) to (targets, features)."""
        return weights[: self.x.shape[1] * self.y.shape[1]].reshape(self.y.shape[1], -1)

    def predict(self, weights: np.ndarray) -> np.ndarray:
        """(params,) to predictions (n, targets), less the shift of the table's units."""
        weight = self.weight(weights)
        return (self.x @ weight.T + (weights[weight.size :] if self.bias else 0.0)) * self.scale

    def at(self, weights: np.ndarray) -> float:
        """The objective at (params,)."""
        prediction, goal = self.predict(weights), self.y * self.scale
        loss = float(np.mean((prediction - goal) ** 2) if self.loss is None else self.loss(prediction, goal))
        return loss + (0.0 if self.penalty is None else self.penalty(self.weight(weights)))

    def on(self, plane: "Slice") -> Callable[[np.ndarray], np.ndarray]:
        """The objective (m,) at coordinates (m, 1 or 2) of a plane.

        Squares alone have a closed form: (r + sum_a c_a m_a)^2 is r^2 + 2 sum_a c_a r m_a + sum_ab c_a c_b m_a m_b,
        with r the residual at the origin and m_a what direction a changes in the prediction.
        """
        if not self.squares_alone:
            return lambda points: np.array([self.at(plane.origin + c @ plane.directions) for c in points])
        residual = self.predict(plane.origin) - self.y * self.scale
        moves = [self.predict(d) for d in plane.directions]
        slope = np.array([np.mean(residual * move) for move in moves])
        form = np.array([[np.mean(a * b) for b in moves] for a in moves])
        level = self.at(plane.origin)
        return lambda points: level + 2 * points @ slope + np.einsum("ma,ab,mb->m", points, form, points)


@dataclass(frozen=True)
class Slice:
    """The plane through `origin` (params,) on orthonormal `directions` (2 or 1, params), labelled."""

    origin: np.ndarray
    directions: np.ndarray
    labels: tuple[str, ...]

    def project(self, weights: np.ndarray) -> np.ndarray:
        """(k, params) -> (k, 2 or 1), the nearest points of the plane."""
        return (weights - self.origin) @ self.directions.T

    @property
    def shift(self) -> np.ndarray:
        """What to add to coordinates so that axes which are weights themselves show the weight's value."""
        named = np.count_nonzero(self.directions) == len(self.directions)
        return self.directions @ self.origin if named else np.zeros(len(self.directions))


def slice_of(path: np.ndarray, centre: np.ndarray, landscape: Landscape) -> Slice:
    """The plane through the first and the last point of the path (k, params) and the centre (params,)."""
    scale = max(float(np.abs(path - centre).max()), 1e-300)
    moved = len(path) > 1 and float(np.abs(path - path[0]).max()) > 1e-12 * scale
    if centre.size <= 2 or not moved:
        return _two_weights(centre, landscape)
    away = (path - centre) / scale
    distance = np.linalg.norm(away, axis=1)
    first = away[0 if distance[0] > 1e-12 else int(np.argmax(distance))]
    first = first / np.linalg.norm(first)
    aside = away - np.outer(away @ first, first)
    off = np.linalg.norm(aside, axis=1)
    # The end fixes the plane, unless it is on the line from start to optimum: then the widest turn does.
    turn = -1 if off[-1] > 0.1 * off.max() else int(np.argmax(off))
    if off[turn] > 1e-9:
        second = aside[turn] / off[turn]
    else:  # a straight path: any direction across it will do
        second = np.eye(centre.size)[int(np.argmin(np.abs(first)))]
        second -= (second @ first) * first
        second /= np.linalg.norm(second)
    basis = np.stack([first, second])
    # Turned within the plane, so that the axes are the path's principal directions there.
    _, lengths, turned = np.linalg.svd(np.vstack([away @ basis.T, np.zeros((2, 2))]), full_matrices=False)
    shares = 100 * lengths**2 / np.sum(away**2)
    labels = (f"direction {k + 1}: {share:.3g} % of the path's squared distance" for k, share in enumerate(shares))
    return Slice(centre, turned @ basis, tuple(labels))


def _two_weights(centre: np.ndarray, landscape: Landscape) -> Slice:
    """The first target's two weights whose features vary most; its bias where there is but one feature."""
    x, scaled = landscape.x, " (standardised)" if landscape.standardized else ""
    shown = [int(k) for k in np.sort(np.argsort(-x.std(axis=0), kind="stable")[:2])]
    words = [f"weight of {word(landscape.features[k])}{scaled}" for k in shown]
    if len(shown) == 1 and landscape.bias:
        shown.append(x.shape[1] * landscape.y.shape[1])
        words.append(f"bias{scaled}")
    return Slice(centre, np.eye(centre.size)[shown], tuple(words))
