"""A table drawn from known weights, with a chosen condition number."""

import os
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from experiments.data.dataset import Dataset
from experiments.errors import UserError


@dataclass(frozen=True)
class Synthetic:
    """y = x w^T + b + noise, with w and b standard normal, the noise of standard deviation `noise`.

    The inputs have mean 0, and their covariance has eigenvalues spread evenly (in logarithm) from
    1/sqrt(condition) to sqrt(condition) along random directions, exactly so in the drawn sample when it has
    more rows than features. The Hessian of the mean squared error, intercept included, then has just that
    condition number; with condition 1 every input has variance 1. With `correlation` r instead, every two inputs
    correlate by r and the condition number is (1 + (features - 1) r) / (1 - r). Of the rows, a share `outliers` has
    targets moved by `outlier_size` standard deviations, up or down; the weights that made the table stay the same.
    """

    n_rows: int = 1000
    n_features: int = 3
    n_targets: int = 1
    noise: float = 0.1
    condition: float = 1.0
    correlation: float = 0.0
    outliers: float = 0.0
    outlier_size: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.correlation and self.condition != 1:
            raise UserError(
                "data.correlation and data.condition: both choose the features' covariance; give one of them"
            )

    def load(self) -> Dataset:
        self._require_memory()
        generator = Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        weight, bias = normal(self.n_targets, self.n_features), normal(self.n_targets)
        x = whitened(normal(self.n_rows, self.n_features)) @ self._root(normal(self.n_features, self.n_features))
        y = x @ weight.t() + bias + self.noise * normal(self.n_rows, self.n_targets)
        if self.outliers:
            far = torch.rand(self.n_rows, generator=generator, dtype=torch.float64) < self.outliers
            sign = normal(self.n_rows, 1).sign()
            y = y + far[:, None] * sign * self.outlier_size * y.std(0, correction=0)
        return Dataset(
            x=x,
            y=y,
            features=tuple(f"x{i + 1}" for i in range(self.n_features)),
            targets=tuple(f"y{i + 1}" for i in range(self.n_targets)),
            truth=(weight, bias),
        )

    def _require_memory(self) -> None:
        """Raise UserError for a table that this machine can't hold: it is drawn, whitened and turned, three copies."""
        numbers = self.n_rows * (3 * self.n_features + self.n_targets)
        numbers += self.n_features * (self.n_features + self.n_targets)
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**40
        if 8 * numbers > memory:
            shape = f"data.n_rows={self.n_rows}, n_features={self.n_features}, n_targets={self.n_targets}"
            raise UserError(f"{shape}: takes {8e-9 * numbers:.3g} GB, more than this machine's {1e-9 * memory:.3g} GB")

    def _root(self, directions: Tensor) -> Tensor:
        """A matrix (features, features), r, whose r^T r is the covariance."""
        if self.correlation:
            same = torch.full((self.n_features, self.n_features), self.correlation, dtype=torch.float64)
            return torch.linalg.cholesky(same.fill_diagonal_(1.0)).t()
        if self.condition == 1:
            return torch.eye(self.n_features, dtype=torch.float64)
        spread = torch.linspace(-0.25, 0.25, self.n_features, dtype=torch.float64)
        if self.n_features == 1:  # the intercept's eigenvalue is 1, so the one input takes the whole ratio
            spread = torch.full((1,), 0.5, dtype=torch.float64)
        axes = torch.linalg.qr(directions).Q
        return (axes * self.condition**spread) @ axes.t()


def whitened(z: Tensor) -> Tensor:
    """z (n, features) with columns of mean 0, variance 1 and no correlation; unchanged without rows to spare."""
    n, features = z.shape
    if n <= features:
        return z
    centred = z - z.mean(0)
    return torch.linalg.qr(centred).Q * n**0.5
