"""No key of the config is dead: each, changed alone, changes what a run or a sweep leaves or says."""

import csv
import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from experiments.__main__ import main
from experiments.config.schema import GROUPS, SECTIONS, all_keys
from experiments.running.assembly import assemble
from experiments.tracking.checkpoint import Checkpoints
from tests.conftest import Configured

TABLE = "data=table data.path=rows.csv data.targets=[y]"
SQL = """data=sql data.uri=sqlite:///rows.db data.targets=[y] data.query=SELECT"a","y"FROM"rows" """
CLASSES = "data=iris loss=cross_entropy optimizer.lr=0.1"
SEARCH = "-m hydra/sweeper=search optimizer.lr='tag(log,interval(1e-7,1e-3))' search.trials=4 search.confirm=0"
HALVED = f"{SEARCH} search.trials=9 training.epochs=27 search.pruner=halving"
SWEEP = "-m seed=0,1,2"
FAILING = "-m data.path=nowhere.csv,rows.csv data=table data.targets=[y]"
CASES = {
    "seed": ("", "1"),
    "model.init": ("", "zeros"),
    "model.bias": ("", "false"),
    "model.activation": ("model=mlp", "tanh"),
    "model.dropout": ("model=mlp", "0.5"),
    "model.hidden": ("model=mlp", "[8]"),
    "model.channels": ("model=cnn data=digits loss=cross_entropy", "[4]"),
    "optimizer.lr": ("", "2e-5"),
    "optimizer.momentum": ("", "0.5"),
    "optimizer.dampening": ("optimizer.momentum=0.5", "0.5"),
    "optimizer.weight_decay": ("", "0.5"),
    "optimizer.nesterov": ("optimizer.momentum=0.5", "true"),
    "optimizer.betas": ("optimizer=adam", "[0.5,0.5]"),
    "optimizer.eps": ("optimizer=adam", "1.0"),
    "optimizer.amsgrad": ("optimizer=adam training.epochs=50 optimizer.lr=10", "true"),
    "optimizer.alpha": ("optimizer=rmsprop", "0.5"),
    "optimizer.centered": ("optimizer=rmsprop", "true"),
    "optimizer.lr_decay": ("optimizer=adagrad", "0.5"),
    "optimizer.initial_accumulator_value": ("optimizer=adagrad", "100.0"),
    "schedule.step_size": ("schedule=step schedule.step_size=1", "2"),
    "schedule.gamma": ("schedule=step schedule.step_size=1", "0.5"),
    "schedule.epochs": ("schedule=cosine", "2"),
    "schedule.minimum": ("schedule=cosine", "0.5"),
    "schedule.decay": ("schedule=inverse_time", "1.0"),
    "schedule.start": ("schedule=warmup", "0.5"),
    "loss.l2": ("", "1.0"),
    "loss.l1": ("", "1.0"),
    "loss.delta": ("loss=huber", "20.0"),
    "loss.weight": (CLASSES, "[1,2,3]"),
    "loss.label_smoothing": (CLASSES, "0.5"),
    "data.inputs": ("", "[temp]"),
    "data.targets": ("", "[apples]"),
    "data.validation": ("", "0.4"),
    "data.split_seed": ("data.validation=0.4", "1"),
    "data.test": ("", "0.4"),
    "data.folds": ("data.folds=3 data.fold=0", "4"),
    "data.fold": ("data.folds=3 data.fold=0", "1"),
    "data.groups": (f"{TABLE} data.inputs=[a] data.folds=2 data.fold=0", "b"),
    "data.standardize": ("", "inputs"),
    "data.block_rows": ("training.shuffle=blocks", "2"),
    "data.batch_blocks": ("data=stream data.path=rows.csv data.targets=[y] data.block_rows=3", "2"),
    "data.n_rows": ("data=synthetic", "20"),
    "data.n_features": ("data=synthetic", "2"),
    "data.n_targets": ("data=synthetic", "2"),
    "data.noise": ("data=synthetic", "1.0"),
    "data.condition": ("data=synthetic", "9.0"),
    "data.correlation": ("data=synthetic", "0.5"),
    "data.outliers": ("data=synthetic", "0.5"),
    "data.outlier_size": ("data=synthetic data.outliers=0.5", "2.0"),
    "data.seed": ("data=synthetic", "1"),
    "data.path": (TABLE, "other.csv"),
    "data.one_hot": (f"{TABLE} data.inputs=[a]", "[a]"),
    "data.missing": (f"{TABLE} data.path=holes.csv data.missing=drop", "mean"),
    "data.store": (TABLE, "false"),
    "data.units": (TABLE, "{a:mm}"),
    "data.validation_column": (f"{TABLE} data.inputs=[a]", "held"),
    "data.validation_path": (TABLE, "other.csv"),
    "data.uri": (SQL, "sqlite:///other.db"),
    "data.query": (SQL, 'SELECT"b","y"FROM"rows"'),
    "data.image": ("data=table data.path=pictures.csv data.targets=[label] loss=cross_entropy", "[2,2]"),
    "data.images": ("data=idx data.images=a.idx data.labels=l.idx loss=cross_entropy", "b.idx"),
    "data.labels": ("data=idx data.images=a.idx data.labels=l.idx loss=cross_entropy", "m.idx"),
    "data.validation_images": (
        "data=idx data.images=a.idx data.labels=l.idx data.validation_labels=l.idx data.validation_images=a.idx "
        "loss=cross_entropy", "b.idx",
    ),
    "data.validation_labels": (
        "data=idx data.images=a.idx data.labels=l.idx data.validation_images=a.idx data.validation_labels=l.idx "
        "loss=cross_entropy", "m.idx",
    ),
    "device.name": ("", "mps"),
    "device.dtype": ("", "float64"),
    "device.threads": ("device.threads=1", "2"),
    "training.epochs": ("", "4"),
    "training.batch_size": ("", "3"),
    "training.log_every": ("", "2"),
    "training.shuffle": ("", "false"),
    "training.patience": ("data.validation=0.4 optimizer.lr=7e-5 training.epochs=30", "1"),
    "training.start": ("", "before"),
    "training.keep": ("optimizer=adam optimizer.lr=50 training.epochs=9", "best"),
    "training.max_seconds": ("", "1e-9"),
    "training.fail_on_divergence": ("optimizer.lr=1", "true"),
    "sweep.fail_fast": (FAILING, "true"),
    "sweep.dry_run": (SWEEP, "true"),
    "sweep.resume": (SWEEP, "earlier"),
    "sweep.objective": (f"{SWEEP} data.validation=0.4 optimizer.lr=7e-5", "gap"),
    "sweep.keep": (SWEEP, "best:1"),
    "sweep.curves": (f"{SWEEP} sweep.keep=none", "none"),
    "search.trials": (SEARCH, "3"),
    "search.batch": (f"{SEARCH} search.sampler=tpe search.trials=16", "4"),
    "search.sampler": (SEARCH, "random"),
    "search.seeds": (SEARCH, "2"),
    "search.average": (f"{SEARCH} search.seeds=3", "median"),
    "search.direction": (SEARCH, "maximize"),
    "search.objectives": (SEARCH, "[steps,gap]"),
    "search.pruner": (f"{SEARCH} training.epochs=27", "halving"),
    "search.eta": (HALVED, "2"),
    "search.min_epochs": (HALVED, "9"),
    "search.confirm": (SEARCH, "2"),
    "search.storage": (SEARCH, "sqlite:///study.db"),
    "tracking.tensorboard": ("", "false"),
    "tracking.figures": ("", "true"),
    "tracking.weights": ("tracking.weights=false", "true"),
}  # fmt: skip
"""For each key: the words of the run beside which it is tried, and a value that the run does not have."""
SEEN_OTHERWISE = {"data.loader", "training.checkpoint_every"}
"""They change no bit of what a run has left when it has ended: see the last two tests."""


def every_key() -> set[str]:
    return {"seed"} | {f"{p}.{n}" for p in (*GROUPS, *SECTIONS) for n in all_keys(p) if n != "_target_"}


def test_every_key_of_the_schema_is_tried_here() -> None:
    assert set(CASES) | SEEN_OTHERWISE == every_key() and not CASES.keys() & SEEN_OTHERWISE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and runs that the cases name."""
    folder = tmp_path_factory.mktemp("keys")
    rows = [(i % 4, i * 7 % 5, i * 3 % 11) for i in range(12)]
    for name, shift in (("rows.csv", 0), ("other.csv", 1)):
        text = "".join(f"{a},{b + shift},{y},{int(a > 2)}\n" for a, b, y in rows)
        (folder / name).write_text("a,b,y,held\n" + text)
        with closing(sqlite3.connect(folder / f"{Path(name).stem}.db")) as database:
            database.execute("CREATE TABLE rows (a, b, y)")
            database.executemany("INSERT INTO rows VALUES (?, ?, ?)", [(a + shift, b, y) for a, b, y in rows])
            database.commit()
    (folder / "holes.csv").write_text("a,b,y\n" + "".join(f"{a},{b or ''},{y}\n" for a, b, y in rows))
    pictures = "".join(f"{a},{b},{y},{a + b},{'no' if y % 2 else 'yes'}\n" for a, b, y in rows)
    (folder / "pictures.csv").write_text("p,q,r,s,label\n" + pictures)
    for name, step in (("a", 1), ("b", 5)):
        pixels = bytes(i * step % 251 for i in range(12 * 4))
        (folder / f"{name}.idx").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 2]) + pixels)
    for name, period in (("l", 2), ("m", 3)):
        (folder / f"{name}.idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(i % period for i in range(12)))
    return folder


@pytest.fixture
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def left(folder: Path) -> dict[str, Any]:
    """What a run or sweep left, without times and what it was asked for."""
    found: dict[str, Any] = {}
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and ".hydra" not in f.parts):
        inside = f"{file.parent.relative_to(folder)}/{file.name}"
        if "tfevents" in file.name:
            values = [v for event in EventFileLoader(str(file)).Load() for v in event.summary.value]
            found[f"{file.parent.relative_to(folder)}/events"] = sorted({v.tag for v in values} - {"config"})
        elif file.name == "result.json":
            content = orjson.loads(file.read_bytes())
            about = content.pop("environment")
            found[inside] = {k: v for k, v in content.items() if k not in ("timing", "config_hash")}
            found[inside]["threads"], found[inside]["device"] = about.get("threads"), about.get("device")
        elif file.name == "results.csv":
            timed = ("seconds", "folder")
            rows = csv.DictReader(file.read_text().splitlines())
            found[inside] = [{k: v for k, v in row.items() if not k.endswith(timed)} for row in rows]
        elif file.name == "search.json":
            found[inside] = orjson.loads(file.read_bytes())["best"]
        elif file.name == "metrics.jsonl":
            found[inside] = file.read_bytes()
        elif file.name != "config.json":
            found[inside] = None
    return found


NUMBERS = itertools.count()


def done(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, dict[str, Any]]:
    """Exit status, first line of standard error, the ranking if there is one, and what was left."""
    folder = Path(f"done/{next(NUMBERS)}")
    where = f"hydra.sweep.dir={folder}" if "-m " in f"{words} " else f"hydra.run.dir={folder}"
    quick = [] if "training.epochs" in words else ["training.epochs=3"]
    pictures = [] if "tracking.figures" in words else ["tracking.figures=false"]
    status = main([*arguments(words), *quick, *pictures, where])
    said = capsys.readouterr()
    best = [line for line in said.out.splitlines() if line.startswith("best")]
    return status, said.err.partition("\n")[0].replace(str(folder), ""), {"best": best, **left(folder)}


def arguments(words: str) -> list[str]:
    return [word.replace("'", "") for word in words.split()]


KNOWN: dict[str, tuple[int, str, dict[str, Any]]] = {}
"""What the runs came to beside which keys are tried, many beside the same one."""


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("key", CASES)
def test_it_changes_something(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, value = CASES[key]
    if words not in KNOWN:
        KNOWN[words] = done(words, capsys)
    if key == "training.start":
        value = str(Path("before").absolute())
        main(["training.epochs=1", "tracking.figures=false", "hydra.run.dir=before"])
        capsys.readouterr()
    if key == "sweep.resume":
        main(["-m", "seed=0,7", "training.epochs=3", "hydra.sweep.dir=earlier"])
        capsys.readouterr()
    assert KNOWN[words] != done(f"{words} {key}={value}", capsys)


@pytest.mark.usefixtures("there")
def test_checkpoints_are_written_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    save = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", lambda self, *args, **more: (written.append(1), save(self, *args, **more)))
    for every, count in (("null", 0), ("2", 2)):
        written.clear()
        assert main(["training.epochs=5", "tracking.figures=false", f"training.checkpoint_every={every}"]) == 0
        assert len(written) == count


def test_the_loader_is_that_which_is_asked_for(configured: Configured) -> None:
    for loader in ("tensor", "torch"):
        assert assemble(configured(loader=loader)).batches.loader == loader
