"""What may be asked for: every key with its type, default, one line of help and range.

This file imports neither torch nor Hydra, and nothing of ours: it is what `--help` prints and what `validation.py`
checks a composed config against. The values people edit stand in `conf/`; a test holds that the defaults there and
here are the same.
"""

from dataclasses import Field, dataclass, field, fields, make_dataclass
from functools import cache
from typing import Any, TypeVar

Schema = TypeVar("Schema")


def key(default: Any, help: str, **rules: Any) -> Any:
    """A config key. Rules: `low` and `high` (inclusive), `above` and `below` (exclusive), `choices`, `length` of a
    list, `special` words beside numbers, a word `prefixed` to a number, `path`, `uri`, the endings of a `file` that may
    stand for a choice."""
    metadata = {"help": help, **rules}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def target(default: str) -> Any:
    """The key that names the class to build."""
    return key(default, "the class, as package.module.Class")


def variant(name: str, base: type[Schema], where: str) -> type[Schema]:
    """A schema with the keys of `base` for another class, the one at `where`."""
    made = make_dataclass(name, [("_target_", str, target(where))], bases=(base,), frozen=True)
    made.__module__ = __name__
    return made


@dataclass(frozen=True)
class Custom:
    """A node whose `_target_` is the user's own class: its other keys are passed on as they are."""

    _target_: str
    options: dict[str, Any] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------- model
WEIGHTS = (".safetensors", ".pt", ".pth")
"""How the name of a file of weights ends."""
DRAWN = ("uniform", "normal", "zeros")
"""Start weights of a linear model that come from no file."""


@dataclass(frozen=True)
class Model:
    _target_: str = target("torch.nn.Linear")
    init: str = key("uniform", "start weights: as nn.Linear's, standard normal, zero, or those in a FILE",
                    choices=DRAWN, file=WEIGHTS)  # fmt: skip
    bias: bool = key(True, "whether each target has an intercept")


ManualModel = variant("ManualModel", Model, "experiments.learning.models.Manual")
AnalyticModel = variant("AnalyticModel", Model, "experiments.learning.models.Analytic")


@dataclass(frozen=True)
class Network:
    """Keys that every network of ours has."""

    init: str | None = key(None, "start weights: those in a FILE (null: as torch's layers draw them)", path=True)
    activation: str = key("relu", "between the layers", choices=("relu", "tanh", "gelu"))
    dropout: float = key(0.0, "share of the hidden numbers that are set to zero while training", low=0, below=1)


@dataclass(frozen=True)
class MLP(Network):
    _target_: str = target("experiments.learning.networks.MLP")
    hidden: list[int] = key([32], "widths of the hidden layers", low=1)


@dataclass(frozen=True)
class CNN(Network):
    _target_: str = target("experiments.learning.networks.CNN")
    channels: list[int] = key([8, 16], "of the convolutions, each of which halves height and width", low=1)


def given_start(model: Any) -> str | None:
    """The file that `model.init` names, where it does."""
    init = getattr(model, "init", None)
    return None if init in DRAWN else init


# ------------------------------------------------------------------------------------------ optimizer
LR = "learning rate, or auto: a stable one from the data (plain gradient descent only)"
LARGEST = 1e38
"""What float32 can hold, about."""
DECAY = "weight decay (L2), added to the gradient"


@dataclass(frozen=True)
class SGD:
    _target_: str = target("torch.optim.SGD")
    lr: float | str = key(1e-5, LR, above=0, high=LARGEST, special=("auto",))
    momentum: float = key(0.0, "share of the last update that goes on", low=0, high=LARGEST)
    dampening: float = key(0.0, "share of the gradient kept out of the momentum", high=LARGEST)
    weight_decay: float = key(0.0, DECAY, low=0, high=LARGEST)
    nesterov: bool = key(False, "look ahead along the momentum (needs momentum, no dampening)")


@dataclass(frozen=True)
class Adam:
    _target_: str = target("torch.optim.Adam")
    lr: float | str = key(0.1, LR, above=0, high=LARGEST, special=("auto",))
    betas: list[float] = key([0.9, 0.999], "decay of the two running means", low=0, below=1, length=2)
    eps: float = key(1e-8, "added to the denominator", low=0, high=LARGEST)
    weight_decay: float = key(0.0, DECAY, low=0, high=LARGEST)
    amsgrad: bool = key(False, "keep the largest second moment")


@dataclass(frozen=True)
class AdamW(Adam):
    _target_: str = target("torch.optim.AdamW")
    weight_decay: float = key(0.01, "weight decay, applied to the weights themselves", low=0, high=LARGEST)


@dataclass(frozen=True)
class RMSprop:
    _target_: str = target("torch.optim.RMSprop")
    lr: float | str = key(0.1, LR, above=0, high=LARGEST, special=("auto",))
    alpha: float = key(0.99, "decay of the running mean of squares", low=0, below=1)
    eps: float = key(1e-8, "added to the denominator", low=0, high=LARGEST)
    weight_decay: float = key(0.0, DECAY, low=0, high=LARGEST)
    momentum: float = key(0.0, "share of the last update that goes on", low=0, high=LARGEST)
    centered: bool = key(False, "divide by the variance instead of the mean square")


@dataclass(frozen=True)
class Adagrad:
    _target_: str = target("torch.optim.Adagrad")
    lr: float | str = key(1.0, LR, above=0, high=LARGEST, special=("auto",))
    lr_decay: float = key(0.0, "decay of the learning rate with the steps", low=0, high=LARGEST)
    weight_decay: float = key(0.0, DECAY, low=0, high=LARGEST)
    initial_accumulator_value: float = key(0.0, "start of the sum of squares", low=0, high=LARGEST)
    eps: float = key(1e-10, "added to the denominator", low=0, high=LARGEST)


ManualSGD = variant("ManualSGD", SGD, "experiments.learning.optimizers.SGD")
ManualAdam = variant("ManualAdam", Adam, "experiments.learning.optimizers.Adam")
ManualAdamW = variant("ManualAdamW", AdamW, "experiments.learning.optimizers.AdamW")
ManualRMSprop = variant("ManualRMSprop", RMSprop, "experiments.learning.optimizers.RMSprop")
ManualAdagrad = variant("ManualAdagrad", Adagrad, "experiments.learning.optimizers.Adagrad")


# ------------------------------------------------------------------------------------------- schedule
Constant = variant("Constant", object, "experiments.learning.schedules.Constant")


@dataclass(frozen=True)
class Step:
    _target_: str = target("experiments.learning.schedules.Step")
    step_size: int = key(30, "epochs between two steps", low=1)
    gamma: float = key(0.1, "factor of each step", above=0)


@dataclass(frozen=True)
class Cosine:
    _target_: str = target("experiments.learning.schedules.Cosine")
    epochs: int | None = key(None, "epochs down to the minimum (null: training.epochs)", low=1)
    minimum: float = key(0.0, "lowest share of the learning rate", low=0, high=1)


@dataclass(frozen=True)
class InverseTime:
    _target_: str = target("experiments.learning.schedules.InverseTime")
    decay: float = key(0.01, "lr / (1 + decay * epoch)", low=0)


@dataclass(frozen=True)
class Warmup:
    _target_: str = target("experiments.learning.schedules.Warmup")
    epochs: int = key(10, "epochs up to the full rate", low=1)
    start: float = key(0.1, "share of the learning rate in the first epoch", above=0, high=1)


# ----------------------------------------------------------------------------------------------- loss
@dataclass(frozen=True)
class Loss:
    """Keys that every loss of ours has."""

    l2: float = key(0.0, "penalty: this times the sum of the squared weights, as trained", low=0, high=LARGEST)
    l1: float = key(0.0, "penalty: this times the sum of the absolute weights, as trained", low=0, high=LARGEST)


MSE = variant("MSE", Loss, "experiments.learning.losses.MSE")
ManualMSE = variant("ManualMSE", Loss, "experiments.learning.losses.ManualMSE")
L1 = variant("L1", Loss, "experiments.learning.losses.L1")


@dataclass(frozen=True)
class Huber(Loss):
    _target_: str = target("experiments.learning.losses.Huber")
    delta: float = key(1.0, "residual at which the square becomes a line, in the targets' units", above=0)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    _target_: str = target("experiments.learning.class_losses.CrossEntropy")
    weight: list[float] | None = key(None, "what a row of each class counts, by the labels' order (null: 1)", above=0)
    label_smoothing: float = key(0.0, "share of each row's truth that all classes get alike", low=0, high=1)


ManualCrossEntropy = variant(
    "ManualCrossEntropy", CrossEntropy, "experiments.learning.class_losses.ManualCrossEntropy"
)  # fmt: skip


# ----------------------------------------------------------------------------------------------- data
@dataclass(frozen=True)
class Data:
    """Keys that every data set has."""

    inputs: list[str] | None = key(None, "columns to predict from (null: all that are not targets)")
    targets: list[str] | None = key(None, "columns to predict (null: the data set's own)")
    validation: float = key(0.0, "share of the rows held out for validation", low=0, below=1)
    split_seed: int = key(0, "which rows are held out, apart from the run's seed", low=0, high=2**63 - 1)
    test: float = key(0.0, "share of the rows that nothing but `experiments test RUN` reads", low=0, below=1)
    folds: int | None = key(None, "cross-validation: the rows are dealt out to so many folds, those of classes evenly "
                            "(null: none)", low=2)  # fmt: skip
    fold: int | None = key(None, "which fold this run holds out, from 0; null in a sweep: each of them", low=0)
    standardize: bool | str = key(False, "train on inputs (true: and targets) of mean 0 and standard deviation 1",
                                  choices=(False, "inputs", True))  # fmt: skip
    loader: str = key("tensor", "batches as views of a tensor, or through torch's DataLoader",
                      choices=("tensor", "torch"))  # fmt: skip
    block_rows: int = key(65_536, "rows read or shuffled together, fewer where they are wide", low=1)


Crops = variant("Crops", Data, "experiments.data.sources.crops.Crops")
CropsSmall = variant("CropsSmall", Data, "experiments.data.sources.crops.CropsSmall")


@dataclass(frozen=True)
class Synthetic(Data):
    _target_: str = target("experiments.data.sources.synthetic.Synthetic")
    n_rows: int = key(1000, "rows", low=1)
    n_features: int = key(3, "features", low=1)
    n_targets: int = key(1, "targets", low=1)
    noise: float = key(0.1, "standard deviation of the noise on the targets", low=0)
    condition: float = key(1.0, "condition number of the loss's Hessian", low=1)
    correlation: float = key(0.0, "correlation of every two features (instead of a condition number)", low=0, below=1)
    outliers: float = key(0.0, "share of the rows whose targets are far off", low=0, high=1)
    outlier_size: float = key(10.0, "how far off an outlier is, in standard deviations of the targets", low=0)
    seed: int = key(0, "seed of the table, apart from the run's", low=0, high=2**63 - 1)


@dataclass(frozen=True)
class Columns(Data):
    """Keys of a table whose columns the user names."""

    one_hot: list[str] | None = key(None, "columns of categories, each level but the first an input of 0 and 1")
    missing: str = key("error", "a missing cell stops, drops its row, or takes the training rows' mean (level: among "
                       "categories it is a level of its own)", choices=("error", "drop", "mean", "level"))  # fmt: skip
    units: dict[str, str] | None = key(None, "units by column, as {temp: C, rain: mm}")
    validation_column: str | None = key(None, "column that is true, 1 or validation for the rows held out")
    groups: str | None = key(None, "column whose rows of one value are held out together, or not at all")
    image: list[int] | None = key(None, "height and width of the picture that a row is, as [8,8]", low=1)


@dataclass(frozen=True)
class Table(Columns):
    _target_: str = target("experiments.data.sources.table.Table")
    path: str | None = key(None, "CSV, TSV (also .gz, .zst), XLSX, Parquet, Arrow, Feather, NPY, NPZ; or a folder of "
                           "CSV files", path=True)  # fmt: skip
    store: bool = key(True, "false: a table that Python hands over as data= is not kept, only its hash")
    validation_path: str | None = key(None, "second file (of a stream: or folder), all of it for validation", path=True)


@dataclass(frozen=True)
class Sql(Columns):
    _target_: str = target("experiments.data.sources.sql.Sql")
    uri: str | None = key(None, "database, only read: sqlite:///FILE, or postgresql://USER@HOST/NAME, its password in "
                          "PGPASSWORD or ~/.pgpass", uri=True)  # fmt: skip
    query: str | None = key(None, "SELECT ... that gives the table; its rows by their cells, unless by ORDER BY")


@dataclass(frozen=True)
class Idx(Data):
    _target_: str = target("experiments.data.sources.idx.Idx")
    path: str | None = key(None, "folder with train-images..., train-labels..., t10k-... as of MNIST", path=True)
    images: str | None = key(None, "file of pictures in the IDX format, instead of a folder", path=True)
    labels: str | None = key(None, "file of their labels", path=True)
    validation_images: str | None = key(None, "file of pictures for validation", path=True)
    validation_labels: str | None = key(None, "file of their labels", path=True)


BreastCancer = variant("BreastCancer", Data, "experiments.data.sources.samples.BreastCancer")
Digits = variant("Digits", Data, "experiments.data.sources.samples.Digits")
Iris = variant("Iris", Data, "experiments.data.sources.samples.Iris")
Wine = variant("Wine", Data, "experiments.data.sources.samples.Wine")
Diabetes = variant("Diabetes", Data, "experiments.data.sources.samples.Diabetes")
Linnerud = variant("Linnerud", Data, "experiments.data.sources.samples.Linnerud")


@dataclass(frozen=True)
class Stream(Table):
    _target_: str = target("experiments.data.sources.stream.Stream")
    path: str | None = key(None, "Parquet, NPY or CSV file of any size, or a folder of Parquet or CSV", path=True)
    batch_blocks: int | None = key(
        None, "blocks that a batch takes its rows from, for torchrun's processes to share (null: one)", low=1, high=4096
    )


# --------------------------------------------------------------------------------------------- device
@dataclass(frozen=True)
class Device:
    name: str = key("auto", "where to train; auto takes the best that is there",
                    choices=("auto", "cpu", "cuda", "mps"))  # fmt: skip
    dtype: str = key("float32", "precision of the training", choices=("float32", "float64"))
    threads: int | None = key(
        None, "threads of torch on the CPU (null: one for small batches, else torch's own choice)", low=1, high=1024
    )


# ----------------------------------------------------------------------------------- the plain sections
@dataclass(frozen=True)
class Training:
    epochs: int = key(100, "passes over the rows", low=0)
    batch_size: int | None = key(5, "rows a step (null: all of them)", low=1)
    log_every: int = key(1, "epochs between two looks at the losses", low=1)
    shuffle: bool | str = key(True, "new order every epoch; blocks: of blocks, and within them",
                       choices=(True, False, "blocks"))  # fmt: skip
    patience: int | None = key(None, "looks without a better loss before stopping (null: never)", low=1)
    start: str | None = key(None, "RUN whose weights this one starts from: a folder, last, best, a name", path=True)
    keep: str = key("last", "the weights that are saved: the last, or the best by the validation loss (training loss "
                    "where no rows are held out)", choices=("last", "best"))  # fmt: skip
    checkpoint_every: int | None = key(None, "epochs between two checkpoints (null: none)", low=1)
    max_seconds: float | None = key(None, "stop training after this time (null: never)", above=0)
    fail_on_divergence: bool = key(False, "exit with status 1 when the loss is not finite")


OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss")
"""Metrics of runs that predict labels, over the training rows; with `validation_` before it over the held-out ones."""
OBJECTIVES = (
    "train_loss", "validation_loss", "data_loss", "optimum_loss", "gap", "gap_relative", "epochs", "steps",
    *OF_CLASSES, *(f"validation_{name}" for name in OF_CLASSES),
)  # fmt: skip
"""What a sweeper may be told to minimise: numbers of result.json."""
PER_TARGET = ("r2", "rmse", "validation_r2", "validation_rmse")
"""Metrics of which each target has one: that of the target apples is `r2.apples`, the mean over the targets `r2`."""


@dataclass(frozen=True)
class Sweep:
    fail_fast: bool = key(False, "stop at the first job that fails")
    dry_run: bool = key(False, "list the jobs, write nothing")
    resume: str | None = key(None, "sweep to go on with: a folder, last, a name")
    objective: str | None = key(None, "metric to rank by (null: validation_loss, gap or train_loss)",
                                choices=OBJECTIVES, dotted=PER_TARGET)  # fmt: skip
    keep: int | None = key(None, "jobs with a folder: all, none, the first N, best:N; the others are rows of packs/ "
                           "(null: all up to 2,000 jobs, else best:100)",
                           low=0, special=("all", "none"), prefixed="best:")  # fmt: skip
    curves: str = key("all", "losses of jobs without a folder that are kept", choices=("all", "last", "none"))


SAMPLERS = ("sobol", "random", "cmaes", "tpe", "nsga2")


@dataclass(frozen=True)
class Search:
    trials: int = key(100, "settings that a search tries", low=1)
    batch: int = key(256, "settings that are asked for at once, and train as a pack", low=1)
    sampler: str = key("sobol", "what proposes the settings", choices=SAMPLERS)
    seeds: int = key(1, "runs of each setting, their seeds counted from `seed` on", low=1)
    average: str = key("mean", "what stands for a setting's runs", choices=("mean", "median"))
    direction: str | None = key(None, "of the objective (null: as the metric has it)",
                                choices=("minimize", "maximize"))  # fmt: skip
    objectives: list[str] | None = key(None, "metrics to search by, several for a Pareto set (null: sweep.objective)",
                                       choices=OBJECTIVES, dotted=PER_TARGET)  # fmt: skip
    pruner: str | None = key(None, "what ends the worse runs of a pack early: at rungs the best 1/eta settings go on",
                             choices=("halving", "hyperband"))  # fmt: skip
    eta: int = key(5, "one of so many settings goes on, for so many times the epochs", low=2)
    min_epochs: int | None = key(None, "epochs up to the first rung (null: training.epochs / 15)", low=1)
    confirm: int = key(10, "fresh seeds with which the best settings run once more at the end (0: none)", low=0)
    storage: str | None = key(None, "URL of a storage of Optuna's (null: study.journal in the sweep's folder)")


@dataclass(frozen=True)
class Tracking:
    tensorboard: bool = key(True, "write the event file")
    figures: bool | None = key(None, "draw the figures (null: in single runs)")
    weights: bool | None = key(None, "log every weight (null: in single runs)")


@dataclass(frozen=True)
class Config:
    """A whole experiment. The groups hold one of the dataclasses above, or `Custom`."""

    model: Any
    optimizer: Any
    schedule: Any
    loss: Any
    data: Any
    device: Device
    seed: int = key(0, "of the start weights and the batch order", low=0, high=2**63 - 1)
    training: Training = field(default_factory=Training)
    sweep: Sweep = field(default_factory=Sweep)
    search: Search = field(default_factory=Search)
    tracking: Tracking = field(default_factory=Tracking)


GROUPS: dict[str, dict[str, type]] = {
    "model": {"linear": Model, "manual": ManualModel, "analytic": AnalyticModel, "mlp": MLP, "cnn": CNN},
    "optimizer": {
        "sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "adagrad": Adagrad,
        "manual_sgd": ManualSGD, "manual_adam": ManualAdam, "manual_adamw": ManualAdamW,
        "manual_rmsprop": ManualRMSprop, "manual_adagrad": ManualAdagrad,
    },
    "schedule": {"constant": Constant, "step": Step, "cosine": Cosine, "inverse_time": InverseTime,
                 "warmup": Warmup},
    "loss": {"mse": MSE, "manual_mse": ManualMSE, "l1": L1, "huber": Huber, "cross_entropy": CrossEntropy,
             "manual_cross_entropy": ManualCrossEntropy},
    "data": {"crops": Crops, "crops_small": CropsSmall, "synthetic": Synthetic, "table": Table, "stream": Stream,
             "sql": Sql, "diabetes": Diabetes, "linnerud": Linnerud, "digits": Digits, "breast_cancer": BreastCancer,
             "wine": Wine, "iris": Iris, "idx": Idx},
    "device": {"auto": Device, "cpu": Device, "cuda": Device, "mps": Device},
}  # fmt: skip
SECTIONS: dict[str, type] = {"training": Training, "sweep": Sweep, "search": Search, "tracking": Tracking}
UNHASHED = ("tracking", "sweep", "search")
"""Sections that change what is written or when, but not what is learned."""


def options(node: Any) -> dict[str, Any]:
    """The keys of a group's node that are its class's own: all but `_target_`."""
    if isinstance(node, Custom):
        return dict(node.options)
    return {f.name: getattr(node, f.name) for f in fields(node) if f.name != "_target_"}


@cache
def keys(schema: type) -> dict[str, Field]:
    """The keys of a schema by their names."""
    return {f.name: f for f in fields(schema)}


@cache
def all_keys(section: str) -> dict[str, Field]:
    """Every key that a section has, or that some choice of a group has, once."""
    schemas = [SECTIONS[section]] if section in SECTIONS else GROUPS[section].values()
    found: dict[str, Field] = {}
    for schema in schemas:
        found |= {name: f for name, f in keys(schema).items() if name not in found}
    return found
