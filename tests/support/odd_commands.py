"""Commands on stored runs, and sweeps, that nobody would mean; made from a seed, beside `requests.command_line`."""
# ruff: noqa: E501

import contextlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import orjson

from experiments.config.explain import known_keys
from experiments.config.schema import GROUPS
from tests.support.requests import WORDS, answered, mangled

FOLDERS = (
    "good", "cut", "torn", "empty", "sweep", "sweep/0_seed=1", "cut_sweep", "text", "last", "goo", "nope", "", ".", "..",
    "/", "/dev/null", "~", "good/config.json", "good/.hydra", "x" * 300, "a\nb", "\udc80", "é", "-", "--", "*", "\x1b[31m",
    "good/", "./good", "good/../good", "0_seed=1", "runs/good", "sweep/1_seed=2", "\x00",
)  # fmt: skip
FLAGS: dict[str, tuple[str, ...]] = {
    "compare": ("--sort", "--reverse", "--top", "--where", "--group-by", "--columns", "--csv", "--parquet", "--json",
                "--png", "--html", "--help", "--nope", "-x"),
    "predict": ("--table", "--out", "--help", "--nope"),
    "diff": ("--changed", "--help", "--nope"),
    "rerun": ("--help", "--nope"),
    "resume": ("--help", "--nope"),
    "board": ("--port", "--help", "--nope"),
    "diagnose": ("--help", "--nope", "--config-dir"),
}  # fmt: skip
VALUES = (
    "gap", "seed", "optimizer.lr", "gap,seed", "nope", "0", "1", "-1", "1e9", "nan", "status = 'completed'", "gap < 1e9",
    "1/0 > 0", "seed", "select 1", "gap < 'x'", "drop table self", "'", ";", "(", "name", "help", "a,", ",", "t.csv", "t.json",
    "t.parquet", "t.png", "t.html", "t", "/dev/null", "nope/t.csv", "good", "rows.csv", "wide.csv", "ragged.csv", "text",
    "0.5", "99999999999999999999", "6006", "65536", "é", "\x1b[31m", "x" * 3000, "%s", "{0}", "count(*) > 1", "length(name)",
    "read_csv('/etc/passwd')", "gap < (select 1)",
)  # fmt: skip
ROWS = (
    "75,63,44", "-3,5,6", "1,2", "1,2,3,4", "a,b,c", "nan,1,2", "inf,1,2", "1e400,1,2", "", ",", ",,", "1 2 3", "1;2;3",
    "temp=1", "0x10,1,1", "1_0,1,1", "数,1,1", "1,2,3\n4,5,6", "1e308,1e308,1e308", "9" * 400 + ",1,1", "\udc80", "1,2,",
)  # fmt: skip


def stored(place: Path) -> None:
    """A good run, a cut off, a torn and an empty one, a sweep, a cut off sweep and some tables, in `place`."""
    with contextlib.chdir(place):
        small = ["training.epochs=2", "tracking.figures=false"]
        answered([*small, "hydra.run.dir=good"])
        answered(["-m", "seed=1,2", "training.epochs=2", "hydra.sweep.dir=sweep"])
        for name, files in {"cut": ("result.json", "model.safetensors"), "torn": ()}.items():
            shutil.copytree("good", name)
            for file in files:
                (Path(name) / file).unlink()
        for file in ("result.json", "metrics.jsonl", "model.safetensors"):
            content = (Path("torn") / file).read_bytes()
            (Path("torn") / file).write_bytes(content[: len(content) // 2])
        shutil.copytree("sweep", "cut_sweep")
        (Path("cut_sweep") / "1_seed=2" / "result.json").unlink()
        Path("empty").mkdir()
        Path("text").write_text("no table, no run\n")
        Path("rows.csv").write_text("rainfall,temp,humidity\n67,73,43\n88,91,64\n")
        Path("wide.csv").write_text("a,b\n1,2\n")
        Path("ragged.csv").write_text("temp,rainfall,humidity\n1,2\n3,4,5,6\n")


def odd_command(dice: random.Random) -> list[str]:
    """A command with folders, flags, values and rows that may fit or not."""
    word = dice.choice(list(FLAGS))
    words = [dice.choice(FOLDERS if dice.random() < 0.5 else FOLDERS[:8]) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    if word == "predict":
        words += [dice.choice(ROWS) for _ in range(dice.choice((0, 1, 1, 2)))]
    if word in ("rerun", "diagnose"):
        words += [f"{dice.choice(known_keys())}={dice.choice(WORDS)}" for _ in range(dice.choice((0, 1, 2)))]
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        words += [dice.choice(FLAGS[word]), dice.choice(VALUES)][: dice.choice((1, 2, 2, 2))]
    if dice.random() < 0.1:
        words.append(mangled(dice.choice(WORDS), dice))
    if dice.random() < 0.2:
        dice.shuffle(words)
    return [word, *words]


def odd_sweep(dice: random.Random) -> list[str]:
    """A sweep of at most a few jobs, some of which can't be run."""
    words = []
    for _ in range(dice.randint(1, 3)):
        key = dice.choice(known_keys())
        choices = (*GROUPS[key], "nope") if key in GROUPS else (*WORDS, "1", "2", "0.1", "5", "1e-5", "7", "3")
        values = [dice.choice(choices) for _ in range(dice.randint(1, 3))]
        words.append(f"{dice.choice(('', '', '', '+', '++'))}{key}={','.join(values)}")
    if dice.random() < 0.2:
        words.append(dice.choice(("seed=range(0,3)", "seed=shuffle(1,2)", "seed=range(0,-3)", "seed=range(3)", "seed=range(0,1,0)",
                                  "optimizer.lr=interval(0,1)", "loss=glob(*)", "loss=glob(q)", "seed=choice()", "~model",
                                  "seed=sort(2,1)", "seed=range(0,2,0.5)", "seed=choice(1,2)", "seed=float(1)")))  # fmt: skip
    if dice.random() < 0.15:
        words.append(dice.choice(("sweep.dry_run=true", "sweep.fail_fast=true", "sweep.resume=cut_sweep", "sweep.resume=nope",
                                  "sweep.objective=nope", "sweep.resume=text", "hydra.launcher.workers=0", "sweep.resume=sweep",
                                  "hydra/launcher=nope", "hydra/launcher=basic", "sweep.objective=steps")))  # fmt: skip
    return ["-m", *words]


def run_odd(words: list[str], folder: Path) -> tuple[int, str, str]:
    """The answer to a command on fresh copies of `stored`'s folders, which lie beside `folder`; no board is started."""
    if words[0] == "-m":
        words = [*words, f"hydra.sweep.dir={folder}"]
        words += [] if any("launcher" in w for w in words) else ["hydra.launcher.workers=1"]
        if not any("training.epochs" in w for w in words):
            words.append("training.epochs=3")
    with fresh(folder), mock.patch("experiments.cli.commands.board.subprocess.Popen") as started:
        started.return_value.wait.return_value = 0
        return answered(words)


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[None]:
    """The current folder is a copy of `place`'s stored things while it lasts: a command may write into them."""
    place, here = folder.parent / "stored", folder.parent / "here"
    if not place.exists():
        place.mkdir()
        stored(place)
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(place, here)
    with contextlib.chdir(here):
        yield


def half_written(folder: Path, status: int) -> str:
    """What a request left that reads as finished and is not; nothing if all is well."""
    for path in folder.rglob("result.json") if folder.is_dir() else ():
        try:
            result = orjson.loads(path.read_bytes())
        except ValueError:
            return f"{path.relative_to(folder)}: can't be read"
        if result["status"] == "failed":
            kind = result["error"]["type"]
            if kind not in ("UserError", "Failure"):
                return f"{path.relative_to(folder)}: failed with {kind}: {result['error']['message']}"
        elif status == 2 and "sweep" not in str(folder):
            return f"{path.relative_to(folder)}: {result['status']}, though the request was refused"
        elif not (path.parent / "model.safetensors").exists() or not (path.parent / "metrics.jsonl").exists():
            return f"{path.relative_to(folder)}: {result['status']}, but without weights or metrics"
    return ""
