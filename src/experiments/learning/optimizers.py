"""Update rules written by hand: SGD, Adam, AdamW, RMSprop, Adagrad, and the optimizer that steps them.

A rule is a frozen dataclass with torch.optim's names and defaults, without the learning rate, and is proved
equal to torch.optim's in the tests. No optimizer of torch.optim is built here: that imports torch._dynamo
(1-2 s).

The same rules train one run and a pack of R runs. Alone, a parameter is (targets, features) or (targets,),
and every hyper-parameter is a number. In a pack the parameter has a leading run axis, (R, targets,
features), and lr and any hyper-parameter may be a tensor (R, 1, 1) with one value per run: best in float64
whatever the parameter's dtype, since coefficients such as 1 - beta are worked out before they are rounded
to that dtype, as with Python's floats. Booleans belong to the whole pack. Nothing mixes runs, so one that
diverges leaves the others alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.errors import UserError

Hyper = float | Tensor  # a number, or one value per run: (R, 1, 1)


def _cast(value: Hyper, like: Tensor) -> Hyper:
    """Per-run values in the dtype of `like`; a number stays a number."""
    return value.to(like.dtype) if isinstance(value, Tensor) else value


def _is_off(value: Hyper) -> bool:
    """Whether the term can be left out: never a tensor, which may hold zeros for some runs only."""
    return not isinstance(value, Tensor) and value == 0


def _decayed(gradient: Tensor, parameter: Tensor, weight_decay: Hyper) -> Tensor:
    """The gradient of loss + weight_decay / 2 * |parameter|^2; a new tensor unless the term is off."""
    return gradient if _is_off(weight_decay) else gradient + _cast(weight_decay, gradient) * parameter


def _power(base: Hyper, exponent: int) -> Hyper:
    """base ** exponent; one value per run by repeated squaring.

    torch's own power rounds the last elements of a tensor otherwise, and a run's bits must not depend on its place.
    """
    if not isinstance(base, Tensor):
        return base**exponent
    result = torch.ones_like(base)
    while exponent:
        if exponent & 1:
            result = result * base
        base, exponent = base * base, exponent >> 1
    return result


def _track(average: Tensor, value: Tensor, weight: Hyper) -> None:
    """Move a running average by `weight` (1 - beta) of the way to `value`, in place."""
    average.lerp_(value, _cast(weight, average))


def _require(name: str, value: Hyper, below: float | None = None) -> None:
    """Raise UserError unless 0 <= value, and value < below where that is given, for every run."""
    inside = value >= 0 if below is None else (value >= 0) & (value < below)
    if not (bool(inside.all()) if isinstance(inside, Tensor) else inside):
        allowed = "must be at least 0" if below is None else f"must be at least 0 and less than {below:g}"
        raise UserError(f"optimizer.{name}={value}: {allowed}")


class Rule:
    """An update rule. Its state for a parameter is a list of tensors of the parameter's shape."""

    def start(self, parameter: Tensor) -> list[Tensor]:
        """The state before the first step."""
        raise NotImplementedError  # each rule has its own

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """What to subtract from the parameter: a new tensor of its shape. `step` counts from 1.

        Advances the tensors of `state` in place, changes nothing else; call it under torch.no_grad().
        """
        raise NotImplementedError  # each rule has its own


@dataclass(frozen=True)
class SGD(Rule):
    """Gradient descent; momentum after I. Sutskever et al. (2013), with lr outside the buffer as in torch:

    buffer = momentum * buffer + (1 - dampening) * gradient      (first step: buffer = gradient)
    parameter -= lr * buffer                                     (nesterov: gradient + momentum * buffer)
    """

    momentum: Hyper = 0.0
    dampening: Hyper = 0.0
    weight_decay: Hyper = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _require("momentum", self.momentum)
        _require("weight_decay", self.weight_decay)
        if self.nesterov and not (torch.as_tensor(self.momentum).all() and not torch.as_tensor(self.dampening).any()):
            raise UserError(
                f"optimizer.nesterov=true with momentum={self.momentum} and dampening={self.dampening}: "
                "Nesterov's rule needs a momentum above 0 and no dampening; set for instance momentum=0.9"
            )

    @property
    def plain(self) -> bool:
        """Whether a step is parameter -= lr * gradient and nothing else."""
        return _is_off(self.momentum) and _is_off(self.weight_decay)

    def start(self, parameter: Tensor) -> list[Tensor]:
        """[buffer], or [] without momentum."""
        return [] if _is_off(self.momentum) else [torch.zeros_like(parameter)]

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """See Rule.update."""
        direction = _decayed(gradient, parameter, self.weight_decay)
        if not _is_off(self.momentum):
            direction = self._with_momentum(direction, state[0], step)
        return direction * _cast(lr, direction)

    def _with_momentum(self, gradient: Tensor, buffer: Tensor, step: int) -> Tensor:
        momentum = _cast(self.momentum, gradient)
        if step == 1:
            buffer.copy_(gradient)
        else:
            buffer.mul_(momentum).add_(gradient * _cast(1 - self.dampening, gradient))
        if self.nesterov:
            return gradient + momentum * buffer
        if isinstance(momentum, Tensor):  # torch ignores dampening where there is no momentum
            return torch.where(momentum == 0, gradient, buffer)
        return buffer


@dataclass(frozen=True)
class Adam(Rule):
    """Adam (D. Kingma and J. Ba, 2015), weight decay added to the gradient; amsgrad (S. Reddi et al., 2018):

    mean = beta1 * mean + (1 - beta1) * gradient
    square = beta2 * square + (1 - beta2) * gradient^2           (amsgrad: its largest value so far is used)
    parameter -= lr * (mean / (1 - beta1^step)) / (sqrt(square / (1 - beta2^step)) + eps)
    """

    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        if len(self.betas) != 2:
            raise UserError(f"optimizer.betas={self.betas}: must be two numbers, for instance [0.9,0.999]")
        for beta in self.betas:
            _require("betas", beta, below=1.0)
        _require("eps", self.eps)
        _require("weight_decay", self.weight_decay)

    def start(self, parameter: Tensor) -> list[Tensor]:
        """[mean, square], and with amsgrad the largest square."""
        return [torch.zeros_like(parameter) for _ in range(3 if self.amsgrad else 2)]

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """See Rule.update."""
        return self._adaptive(_decayed(gradient, parameter, self.weight_decay), state, step, lr)

    def _adaptive(self, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        beta1, beta2 = self.betas
        mean, square = state[0], state[1]
        _track(mean, gradient, 1 - beta1)
        _track(square, gradient * gradient, 1 - beta2)
        if self.amsgrad:
            square = torch.maximum(state[2], square, out=state[2])
        root = square.sqrt() / _cast((1 - _power(beta2, step)) ** 0.5, square)
        return mean / (root + _cast(self.eps, root)) * _cast(lr / (1 - _power(beta1, step)), mean)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the weight decay apart from the gradient (I. Loshchilov and F. Hutter, 2019):

    parameter -= lr * weight_decay * parameter, besides Adam's own update
    """

    weight_decay: Hyper = 0.01

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """See Rule.update."""
        adaptive = self._adaptive(gradient, state, step, lr)
        if _is_off(self.weight_decay):
            return adaptive
        return adaptive + parameter * _cast(lr * self.weight_decay, parameter)


@dataclass(frozen=True)
class RMSprop(Rule):
    """RMSprop (G. Hinton's lecture 6, 2012), eps outside the root; centered is that of A. Graves (2013):

    square = alpha * square + (1 - alpha) * gradient^2           (centered: minus the running mean, squared)
    buffer = momentum * buffer + gradient / (sqrt(square) + eps)
    parameter -= lr * buffer
    """

    alpha: Hyper = 0.99
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    momentum: Hyper = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        # torch takes 1 and more too, where the average never moves or its root is NaN.
        _require("alpha", self.alpha, below=1.0)
        for name in ("eps", "weight_decay", "momentum"):
            _require(name, getattr(self, name))

    def start(self, parameter: Tensor) -> list[Tensor]:
        """[square], then the mean if centered, then the buffer if there is momentum."""
        slots = 1 + self.centered + (not _is_off(self.momentum))
        return [torch.zeros_like(parameter) for _ in range(slots)]

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """See Rule.update."""
        gradient = _decayed(gradient, parameter, self.weight_decay)
        square = state[0]
        _track(square, gradient * gradient, 1 - self.alpha)
        if self.centered:
            mean = state[1]
            _track(mean, gradient, 1 - self.alpha)
            square = square - mean * mean
        root = square.sqrt()
        direction = gradient / (root + _cast(self.eps, root))
        if not _is_off(self.momentum):
            direction = state[-1].mul_(_cast(self.momentum, direction)).add_(direction)
        return direction * _cast(lr, direction)


@dataclass(frozen=True)
class Adagrad(Rule):
    """Adagrad (J. Duchi et al., 2011):

    total += gradient^2                                          (from initial_accumulator_value)
    parameter -= lr / (1 + (step - 1) * lr_decay) * gradient / (sqrt(total) + eps)
    """

    lr_decay: Hyper = 0.0
    weight_decay: Hyper = 0.0
    initial_accumulator_value: Hyper = 0.0
    eps: Hyper = 1e-10

    def __post_init__(self) -> None:
        for name in ("lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            _require(name, getattr(self, name))

    def start(self, parameter: Tensor) -> list[Tensor]:
        """[total]."""
        return [torch.zeros_like(parameter).add_(_cast(self.initial_accumulator_value, parameter))]

    def update(self, parameter: Tensor, gradient: Tensor, state: list[Tensor], step: int, lr: Hyper) -> Tensor:
        """See Rule.update."""
        gradient = _decayed(gradient, parameter, self.weight_decay)
        total = state[0].add_(gradient * gradient)
        rate = lr / (1 + (step - 1) * self.lr_decay)
        return gradient / (total.sqrt() + _cast(self.eps, total)) * _cast(rate, gradient)


class ManualOptimizer:
    """Steps parameters by a rule, with the face of torch.optim.Optimizer; `lr` may be set before any step.

    A parameter whose `.grad` is None is passed over and that step is not counted for it, as in torch.optim.
    The state is on the parameter's device: move a model before its optimizer is built.
    """

    def __init__(self, parameters: Iterable[Tensor], rule: Rule, lr: float) -> None:
        self.parameters = list(parameters)
        self.rule = rule
        self.lr = lr
        if not self.parameters:
            raise UserError("the model has no parameters, so there is nothing to optimize; give it an nn.Parameter")
        _require("lr", lr)
        self.plain = isinstance(rule, SGD) and rule.plain
        """Whether a step is parameter -= lr * gradient and nothing else."""
        self._states = [rule.start(parameter.detach()) for parameter in self.parameters]
        self._steps = [0] * len(self.parameters)

    def step(self) -> None:
        """Update every parameter from its `.grad`."""
        with torch.no_grad():  # as a decorator it costs 8 per cent more on tiny tensors
            for i, parameter in enumerate(self.parameters):
                gradient = parameter.grad
                if gradient is None:
                    continue
                self._steps[i] += 1
                if self.plain:  # one call: lr * gradient by itself costs as much again on tiny tensors
                    parameter.add_(gradient, alpha=-self.lr)
                else:
                    parameter.sub_(self.rule.update(parameter, gradient, self._states[i], self._steps[i], self.lr))

    def count(self) -> None:
        """One more step of every parameter, taken by another, see `descent`."""
        self._steps = [steps + 1 for steps in self._steps]

    def zero_grad(self) -> None:
        """Forget the gradients: None rather than zeros, so that backward() has nothing to add to."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the state: "<parameter>.<slot>" (from 0, the parameter's shape), "step" (parameters,).

        "step" is int64, the steps taken. `lr` is not part of it: the schedule gives it anew for every epoch.
        """
        state = {f"{i}.{j}": slot.clone() for i, slots in enumerate(self._states) for j, slot in enumerate(slots)}
        return {**state, "step": torch.tensor(self._steps, dtype=torch.int64)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`. Raises UserError, and changes nothing, if names or shapes differ."""
        here = {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}
        there = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if here != there:
            raise UserError(
                f"the stored optimizer state {there} does not fit this optimizer's {here}: "
                "resume with the optimizer and the model it was saved with"
            )
        self._steps = [int(steps) for steps in state["step"]]
        for i, slots in enumerate(self._states):
            for j, slot in enumerate(slots):
                slot.copy_(state[f"{i}.{j}"])
