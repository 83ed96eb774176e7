"""Whole sweeps, in this process: folders, files, failures, resuming, other launchers, the table."""

import csv
import errno
import json
import multiprocessing
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiments import sweep
from experiments.__main__ import main
from experiments.config.validation import config_hash
from experiments.errors import Failure
from experiments.sweeps.results.outcomes import Outcomes
from experiments.sweeps.results.stored_sweep import held
from experiments.sweeps.stacked import packs

SHORT = "training.epochs=3"


def folder() -> Path:
    (found,) = Path("outputs/sweeps").iterdir()
    return found


def jobs(place: Path) -> list[Path]:
    return sorted((p for p in place.iterdir() if p.is_dir()), key=lambda p: int(p.name.partition("_")[0]))


def table(place: Path) -> list[dict[str, str]]:
    with (place / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_folders_files_table_and_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=range(0,3)", "optimizer.lr=1e-5,1e-4", SHORT]) == 0
    root = folder()
    assert {p.name for p in root.iterdir() if p.is_file()} == {
        "results.csv", "results.parquet", "sweep.yaml", "sweep.log",
    }  # fmt: skip
    assert [p.name for p in jobs(root)] == [
        f"{n}_seed={s}_lr={lr}" for n, (s, lr) in enumerate((s, lr) for s in range(3) for lr in ("1e-05", "0.0001"))
    ]
    for place in jobs(root):
        names = sorted(p.name.partition(".vm")[0] for p in place.iterdir())
        assert [n for n in names if not n.startswith("events.out.tfevents.")] == [
            ".hydra", "config.json", "metrics.jsonl", "model.safetensors", "result.json",
        ]  # fmt: skip
        assert len(names) == 6
        stored = json.loads((place / "config.json").read_text())
        assert stored.pop("config_hash") == config_hash(stored)
        events = EventAccumulator(str(place)).Reload()
        assert sorted(events.Tags()["scalars"]) == ["loss/gap", "loss/train", "optimizer/lr"]
        assert [e.step for e in events.Scalars("loss/train")] == [1, 2, 3]
    rows = table(root)
    assert [row["number"] for row in rows] == list("012345")
    assert {row["status"] for row in rows} == {"completed"}
    said = capsys.readouterr().out
    assert "best 6 by gap" in said and "gap over seeds" in said and "6 jobs: 6 completed" in said


def test_a_stacked_jobs_texts_are_those_of_hydras_basic_launcher() -> None:
    swept = ["-m", "seed=3,4", "optimizer.lr=1e-5,0.5", "data=crops,crops_small", "data.inputs=[temp,rainfall]", SHORT,
             "training.patience=null", "tracking.figures=false"]  # fmt: skip
    assert main([*swept, "hydra.sweep.dir=ours"]) == 0
    assert main([*swept, "hydra.sweep.dir=theirs", "hydra/launcher=basic"]) == 0
    ours, theirs = jobs(Path("ours")), jobs(Path("theirs"))
    assert [p.name for p in ours] == [p.name for p in theirs] and len(ours) == 8
    for own, other in zip(ours, theirs, strict=True):
        for name in (".hydra/config.yaml", "config.json"):
            assert (own / name).read_text() == (other / name).read_text()
        left, right = (yaml.safe_load((f / ".hydra/overrides.yaml").read_text()) for f in (own, other))
        assert left == right
        left, right = (yaml.safe_load((f / ".hydra/hydra.yaml").read_text())["hydra"] for f in (own, other))
        for whole in (left, right):  # what the other launcher and the other folder change, and nothing else
            for part in ("launcher", "sweep"):
                del whole[part]
            whole["overrides"].pop("hydra")
            whole["runtime"].pop("output_dir")
            whole["runtime"]["choices"].pop("hydra/launcher")
            whole["job"]["id"] = str(whole["job"]["id"])
        assert left == right


def test_failures_stay_alone_and_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "optimizer.lr=1e-5,-1,abc", "seed=1,2", SHORT]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "error: 4 of 6 jobs failed"
    assert said.out.count("failed: 2 jobs (") == 2
    assert "optimizer.lr=-1: must be above 0" in said.out or "optimizer.lr=-1.0: must be above 0" in said.out
    rows = table(folder())
    assert [row["status"] for row in rows] == ["completed"] * 2 + ["failed"] * 4
    assert all(json.loads((p / "result.json").read_text())["error"]["message"] for p in jobs(folder())[2:])


def test_fail_fast_stops(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "optimizer.lr=-1,1e-5", SHORT, "sweep.fail_fast=true"]) == 1
    said = capsys.readouterr()
    assert "sweep.fail_fast" in said.err and "not run: 1 jobs (1)" in said.out


def test_a_pack_that_crashes_is_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(packs, "train", broken)
    assert main(["-m", "seed=1,2", SHORT]) == 0
    assert {row["executed"] for row in table(folder())} == {"serial"}
    assert "run one by one" in (folder() / "sweep.log").read_text()


def test_ctrl_c_keeps_what_is_finished_and_resume_runs_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, calls = packs.train, []

    def interrupted(*parts):
        if calls:
            raise KeyboardInterrupt
        calls.append(parts)
        return whole(*parts)

    monkeypatch.setattr(packs, "train", interrupted)
    swept = ["seed=1,2,3", "training.batch_size=5,3", SHORT]
    assert main(["-m", *swept, "hydra.launcher.workers=1"]) == 130
    said = capsys.readouterr()
    assert "not run: 3 jobs" in said.out and "experiments resume" in said.err
    assert len(table(folder())) == 3
    monkeypatch.setattr(packs, "train", whole)
    root = folder().absolute()
    before = {p: (p / "result.json").stat().st_mtime_ns for p in jobs(root) if (p / "result.json").exists()}
    assert len(before) == 3
    assert main(["resume", str(root)]) == 0
    assert len(table(root)) == 6 and len(jobs(root)) == 6
    assert all((p / "result.json").stat().st_mtime_ns == then for p, then in before.items())


def test_ctrl_c_ends_workers_and_forgets_nothing_that_they_finished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, told, before = Outcomes.enter, [], multiprocessing.active_children()

    def interrupted(self, job, result):
        if not told:
            told.append(job.number)
            raise KeyboardInterrupt
        whole(self, job, result)

    monkeypatch.setattr(Outcomes, "enter", interrupted)
    assert main(["-m", "seed=range(1,5)", "training.batch_size=5,3", SHORT, "hydra.launcher.workers=2"]) == 130
    assert multiprocessing.active_children() == before
    finished = [p for p in jobs(folder()) if (p / "result.json").exists()]
    assert told and len(table(folder())) == len(finished) >= 4  # a pack is told of at once
    root = folder().absolute()
    assert main(["resume", str(root)]) == 0
    assert len(table(root)) == 8


def test_jobs_of_a_worker_that_was_killed_once_are_trained_again_with_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swept = ["seed=1,2,3", "training.batch_size=5,3", SHORT, "hydra.launcher.workers=2"]
    assert main(["-m", *swept, "hydra.sweep.dir=undisturbed"]) == 0
    whole, parent = packs.train, os.getpid()

    def killed(*parts):
        if os.getpid() != parent and parts[1].batch_size == 3 and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*parts)

    monkeypatch.setattr(packs, "train", killed)
    assert main(["-m", *swept, "hydra.sweep.dir=here"]) == 0
    assert "was ended by SIGKILL" in (Path("here") / "sweep.log").read_text()
    assert [row["executed"] for row in table(Path("here"))] == ["stacked"] * 6
    for one in jobs(Path("here")):
        other = Path("undisturbed") / one.name
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_job_whose_worker_is_killed_every_time_fails_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parent = packs.train, os.getpid()

    def killed(*parts):
        if os.getpid() != parent and 2 in parts[0].seeds and parts[1].batch_size == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*parts)

    monkeypatch.setattr(packs, "train", killed)
    assert main(["-m", "seed=1,2,3", "training.batch_size=5,3", SHORT, "hydra.launcher.workers=2"]) == 1
    rows = table(folder())
    assert [(r["seed"], r["training.batch_size"]) for r in rows if r["status"] == "failed"] == [("2", "3")]
    assert len(rows) == 6 and capsys.readouterr().err == "error: 1 of 6 jobs failed\n"


def test_every_kind_of_job_comes_to_what_hydras_own_launcher_comes_to() -> None:
    """Sweeps over keys that share a table, so that nothing of one job is taken for another's."""
    for number, swept in enumerate([
        "training.batch_size=5,3,null", "training.shuffle=true,false", "model.bias=true,false", "training.epochs=2,5",
        "device.dtype=float32,float64", "data.validation=0,0.4", "optimizer=sgd,adam,rmsprop",
        "schedule=constant,warmup,cosine", "model.init=uniform,zeros", "optimizer.momentum=0,0.9",
    ]):  # fmt: skip
        found = []
        for launcher in ("stacked", "basic"):
            place = f"{number}-{launcher}"
            fixed = ["training.epochs=3"] if "epochs" not in swept else []
            assert main(["-m", swept, *fixed, f"hydra/launcher={launcher}", f"hydra.sweep.dir={place}"]) == 0
            found.append([json.loads((p / "result.json").read_text()) for p in jobs(Path(place))])
        for stacked, alone in zip(*found, strict=True):
            assert (stacked["executed"], alone["executed"]) == ("stacked", "serial")
            for key in ("config_hash", "epochs", "steps", "lr", "rows", "seed"):
                assert stacked[key] == alone[key], (swept, key)
            for key in ("train_loss", "validation_loss", "gap"):
                one, other = stacked["metrics"][key], alone["metrics"][key]
                assert (one is None and other is None) or one == pytest.approx(other, rel=1e-4), (swept, key)
        assert len({json.dumps([r["metrics"], r["rows"]]) for r in found[0]}) == len(found[0]), swept


def test_workers_and_one_process_write_the_same() -> None:
    for workers in (1, 2):
        arguments = ["seed=range(0,3)", "training.batch_size=5,3", SHORT, f"hydra.launcher.workers={workers}"]
        assert main(["-m", *arguments, f"hydra.sweep.dir={workers}"]) == 0
    for one in jobs(Path("1")):
        other = Path("2") / one.name
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (one / name).read_bytes() == (other / name).read_bytes()
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in table(Path(w))] for w in "12"]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none_is_refused(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=1,2", SHORT, f"hydra.launcher.workers={workers}"]) == 2
    assert re.fullmatch(r"error: .*hydra\.launcher\.workers=.*\n", capsys.readouterr().err)


def test_a_full_disk_in_a_worker_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl")

    monkeypatch.setattr(packs.writing, "finish", full)
    assert main(["-m", "seed=1,2", "training.batch_size=5,3", SHORT, "hydra.launcher.workers=2"]) == 1
    assert re.fullmatch(r"error: metrics.jsonl: the disk is full; .*\n", capsys.readouterr().err)
    assert not [p for p in jobs(folder()) if (p / "result.json").exists()]


def test_jobs_that_never_began_and_those_cut_off_at_once_keep_their_numbers() -> None:
    assert main(["-m", "seed=17,2,3,1", SHORT]) == 0
    root = folder()
    first, second, third, _ = jobs(root)
    for path in (first / "config.json", first / "result.json"):
        path.unlink()
    (first / ".hydra/overrides.yaml").write_text("- seed=1")  # torn off: it could be taken for the last job's
    for place in (second, third):
        shutil.rmtree(place)
    third.mkdir()  # killed before a byte was written
    assert main(["resume", str(root)]) == 0
    assert [p.name for p in jobs(root)] == ["0_seed=17", "1_seed=2", "2_seed=3", "3_seed=1"]
    assert [row["seed"] for row in table(root)] == ["17", "2", "3", "1"]


def test_weights_lost_with_the_power_are_trained_again() -> None:
    assert main(["-m", "seed=1,2", SHORT]) == 0
    root = folder()
    weights = jobs(root)[0] / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(b"")
    assert main(["resume", str(root)]) == 0
    assert weights.read_bytes() == content


def test_a_second_session_is_told_who_holds_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=1,2", SHORT]) == 0
    root = folder().absolute()
    shutil.rmtree(jobs(root)[1])
    with held(root):
        assert main(["resume", str(root)]) == 2
    assert re.search(rf"^error: .*: process {os.getpid()} on \S+ is at work in this folder", capsys.readouterr().err)
    assert not (root / "1_seed=2").exists()
    assert main(["resume", str(root)]) == 0
    assert sorted(p.name for p in root.iterdir()) == [
        "0_seed=1", "1_seed=2", "results.csv", "results.parquet", "sweep.log", "sweep.yaml",
    ]  # fmt: skip


def test_sigterm_ends_a_sweep_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packs, "train", lambda *parts: signal.raise_signal(signal.SIGTERM))
    assert main(["-m", "seed=1,2", SHORT]) == 130
    assert re.search(r"^error: interrupted: 0 of 2 jobs finished; go on with `experiments", capsys.readouterr().err)


def test_resuming_adds_jobs_keeps_numbers_and_runs_failed_ones_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=1,2", SHORT]) == 0
    root = folder()
    (jobs(root)[1] / "result.json").unlink()  # as if it had been cut off
    (jobs(root)[0] / "config.json").write_text("{")  # unreadable: trained again, recognised by its overrides
    assert main(["-m", "seed=0,1,2", SHORT, f"sweep.resume='{root}'"]) == 0
    assert [p.name for p in jobs(root)] == ["0_seed=1", "1_seed=2", "2_seed=0"]
    assert [row["seed"] for row in table(root)] == ["1", "2", "0"]
    capsys.readouterr()
    assert main(["-m", "seed=0,1,2", "training.epochs=4", f"sweep.resume='{root}'"]) == 2
    assert re.search(r"^error: training.epochs=4: the sweep in .* has training.epochs=3", capsys.readouterr().err)


@pytest.mark.parametrize(
    "argument", ["hydra.callbacks.a._target_=os.system", "seed=${oc.env:HOME}", "hydra/launcher=joblib", "--info"]
)
def test_a_stored_sweep_is_not_trusted(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s").mkdir()
    Path("s/sweep.yaml").write_text(json.dumps({"arguments": ["seed=1,2", argument], "fixed": {}}))
    assert main(["resume", "s"]) == 2
    assert "is not run again unasked" in capsys.readouterr().err
    assert [p.name for p in Path("s").iterdir()] == ["sweep.yaml"]


def test_a_second_sweep_does_not_enter_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=1", SHORT, "hydra.sweep.dir=here"]) == 0
    assert main(["-m", "seed=1", SHORT, "hydra.sweep.dir=here"]) == 2
    assert "there is a sweep in this folder already" in capsys.readouterr().err


def test_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "seed=range(0,50)", "loss=mse,l1", "sweep.dry_run=true"]) == 0
    said = capsys.readouterr().out
    assert "pack of 50" in said and "100 jobs, 0 refused" in said and "nothing written" in said
    assert not Path("outputs").exists()


def test_the_size_that_a_dry_run_foretells_is_near_what_a_sweep_takes(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["-m", "seed=range(0,1000)", "training.epochs=50"]
    said = {}
    for keep, curves in (("all", "all"), ("20", "all"), ("none", "all"), ("none", "none")):
        words = [*asked, f"sweep.keep={keep}", f"sweep.curves={curves}"]
        assert main([*words, "sweep.dry_run=true"]) == 0
        found = re.search(r"and ([\d.]+) MB", capsys.readouterr().out)
        assert found is not None
        said[keep, curves] = float(found[1])
    assert said["all", "all"] > 10 * said["20", "all"] > 10 * said["none", "all"] > 20 * said["none", "none"]
    assert main([*asked, "sweep.keep=none", "hydra.sweep.dir=s"]) == 0
    size = sum(file.stat().st_size for file in Path("s").rglob("*"))
    assert said["none", "all"] == pytest.approx(size / 1e6, rel=0.7)


def test_last_is_the_newest_sweep_where_one_is_gone_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    again = ["-m", "seed=1,2,3", SHORT, "sweep.resume=last"]
    assert main(again) == 2
    assert capsys.readouterr().err == "error: sweep.resume=last: there is no sweep below outputs/\n"
    assert main(["-m", "seed=1,2", SHORT]) == 0
    assert main([SHORT]) == 0  # a run that is newer
    assert main(again) == 0
    assert [path.name for path in jobs(folder())] == ["0_seed=1", "1_seed=2", "2_seed=3"]


def test_what_cannot_be_stacked_runs_serially_and_says_why() -> None:
    assert main(["-m", "seed=1,2", "training.shuffle=blocks", SHORT]) == 0
    assert {row["executed"] for row in table(folder())} == {"serial"}
    assert "2 jobs run one by one: training.shuffle=blocks" in (folder() / "sweep.log").read_text()
    assert not list(folder().glob("*/run.log"))


def test_hydras_basic_sweeper_drives_the_launcher() -> None:
    assert main(["-m", "seed=1,2", SHORT, "hydra/sweeper=basic"]) == 0
    assert [row["executed"] for row in table(folder())] == ["stacked", "stacked"]


def test_joblibs_launcher_runs_the_jobs() -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    assert main(["-m", "seed=1,2", SHORT, "hydra/launcher=joblib", "tracking.figures=false"]) == 0
    assert [json.loads((p / "result.json").read_text())["seed"] for p in jobs(folder())] == [1, 2]


def test_sweep_from_python_returns_the_table() -> None:
    found = sweep("seed=1,2", SHORT)
    assert found["status"].to_list() == ["completed"] * 2 and found["gap"].is_not_null().all()
    with pytest.raises(Failure, match="1 of 1 jobs failed"):
        sweep("optimizer.lr=-1", SHORT)


@pytest.mark.parametrize(
    ("swept", "expected"),
    [
        (["model=manual,linear", "optimizer=sgd,manual_adam"], 4),
        (["experiment=from_scratch,builtins"], 2),
        (["optimizer=adam", "optimizer.betas=[0.9,0.99],[0.8,0.9]"], 2),
        (["seed=shuffle(1,2,3)"], 3),
        (["loss=glob(*mse)"], 2),
        (["data=synthetic", "data.seed=${seed}", "seed=1,2"], 2),
        (["++seed=1,2", "++training.patience=3"], 2),
        (["training.shuffle=true,false", "optimizer.lr=auto"], 2),
    ],
)
def test_every_syntax_of_hydra(swept: list[str], expected: int, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["-m", *swept, SHORT])
    assert status == 0, capsys.readouterr()
    assert len(jobs(folder())) == expected and {row["status"] for row in table(folder())} == {"completed"}


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        ("model=glob(zzz*)", "no choice of model is like that; there are analytic, "),
        ("seed=range(5,5)", "there is no value in it"),
        ("optimizer.lr=glob(*)", "glob is for groups, and optimizer.lr is none"),
    ],
)
@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_a_sweep_of_nothing_is_refused(
    swept: str, said: str, launcher: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", swept, f"hydra/launcher={launcher}"]) == 2
    assert re.fullmatch(rf"error: {re.escape(swept)}: .*{re.escape(said)}.*\n", capsys.readouterr().err)
    assert not Path("outputs").exists()


@pytest.mark.parametrize("launcher", ["stacked", "basic", "joblib"])
@pytest.mark.parametrize(
    ("subdir", "names"),
    [
        ("${hydra.job.num}", ["0", "1"]),
        ("${hydra:job.num}-of-${seed}", ["0-of-7", "1-of-8"]),
        ("a/${hydra.job.override_dirname}", [f"a/seed={s},training.epochs=3" for s in (7, 8)]),
        ("lr${optimizer.lr}/s${seed}", ["lr1e-05/s7", "lr1e-05/s8"]),
    ],
)
def test_hydras_own_key_names_the_folders(launcher: str, subdir: str, names: list[str]) -> None:
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["seed=7,8", SHORT, f"hydra.sweep.subdir={subdir}", f"hydra/launcher={launcher}"]
    assert main(["-m", *words, "hydra.sweep.dir=s"]) == 0
    assert sorted(p.parent.relative_to("s").as_posix() for p in Path("s").rglob("result.json")) == names
    assert [row["folder"] for row in table(Path("s"))] == names
    for name, seed in zip(names, (7, 8), strict=True):
        assert json.loads((Path("s") / name / "result.json").read_text())["seed"] == seed
        texts = yaml.safe_load((Path("s") / name / ".hydra/hydra.yaml").read_text())["hydra"]
        assert texts["runtime"]["output_dir"] == str((Path("s") / name).absolute())


def test_jobs_in_folders_of_other_names_are_gone_on_with() -> None:
    named = "hydra.sweep.subdir=s${seed}"
    assert main(["-m", "seed=1,2,3", SHORT, named, "hydra.sweep.dir=s"]) == 0
    before = (Path("s/s3/result.json").stat().st_mtime_ns, (Path("s/s2/metrics.jsonl")).read_bytes())
    (Path("s/s2") / "result.json").unlink()
    shutil.rmtree("s/s1")
    Path("s/s1").mkdir()  # killed before a byte was written
    assert main(["resume", "s"]) == 0
    assert [row["folder"] for row in table(Path("s"))] == ["s1", "s2", "s3"]
    assert before == (Path("s/s3/result.json").stat().st_mtime_ns, (Path("s/s2/metrics.jsonl")).read_bytes())
    assert main(["-m", "seed=0,1,2,3", SHORT, named, "sweep.resume=s"]) == 0
    assert before[0] == Path("s/s3/result.json").stat().st_mtime_ns and len(table(Path("s"))) == 4


@pytest.mark.parametrize(
    ("subdir", "said"),
    [("x", "two jobs would have x"), ("../${seed}", "is no folder in the sweep's"), ("/tmp/x${seed}", "is no folder")],
)
def test_names_that_lead_elsewhere_or_together_are_refused(
    subdir: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", "seed=1,2", SHORT, f"hydra.sweep.subdir={subdir}", "hydra.sweep.dir=s"]) == 2
    assert re.fullmatch(rf"error: hydra.sweep.subdir: .*{re.escape(said)}.*\n", capsys.readouterr().err)
    assert not Path("s").exists()


@pytest.mark.parametrize(
    "others",
    [["hydra/launcher=basic"], ["hydra/launcher=joblib"], ["hydra/sweeper=basic"],
     ["hydra/sweeper=basic", "hydra/launcher=basic"], ["hydra/sweeper=basic", "hydra/launcher=joblib"]],
)  # fmt: skip
def test_the_end_is_told_whoever_sweeps_and_launches(others: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if "hydra/launcher=joblib" in others:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    root = Path("s").absolute()  # joblib keeps its processes, and they the current folder of another test
    assert main(["-m", "seed=1,2", SHORT, *others, f"hydra.sweep.dir={root}"]) == 0
    said = capsys.readouterr().out
    assert "2 jobs: 2 completed" in said and "best 2 by gap" in said and f"folder: {root}" in said
    rows = table(root)
    assert [row["seed"] for row in rows] == ["1", "2"] and {row["status"] for row in rows} == {"completed"}
    best = min(rows, key=lambda row: float(row["gap"]))
    assert re.search(rf"by gap.*?\n.*?\n.*?\n.*?\n\W+{best['number']}\W+{best['seed']}\W", said)


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_equal_failures_are_one_line(launcher: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "data=table",
        "data.path=nowhere.csv",
        "data.targets=[a]",
        "seed=range(0,25)",
        f"hydra/launcher={launcher}",
    ]
    assert main(["-m", *words]) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("failed:")]
    assert line.startswith("failed: 25 jobs (0, 1, 2, ") and "19, ...): " in line and "nowhere.csv" in line
    assert said.err.splitlines()[-1] == "error: 25 of 25 jobs failed"


def test_a_presets_own_loss_is_ranked_apart(capsys: pytest.CaptureFixture[str]) -> None:
    Path("more/experiment").mkdir(parents=True)
    for name, loss in (("square", "mse"), ("bent", "huber")):
        text = f"# @package _global_\ndefaults:\n  - override /loss: {loss}\n"
        Path(f"more/experiment/{name}.yaml").write_text(text)
    words = ["--config-dir", "more", "-m", "experiment=square,bent", "seed=1,2", SHORT]
    assert main([*words, "hydra.sweep.dir=s"]) == 0
    said = capsys.readouterr().out
    assert "note: losses of other kinds or data do not compare: 2 groups are kept apart" in said
    assert "best 2 of mse by" in said and "best 2 of huber by" in said
    assert (
        main([*words[:4], "seed=1,3", SHORT, "sweep.resume=s"]) == 0
    )  # jobs of before, seed=2, are not asked for again
    said = capsys.readouterr().out
    assert "best 3 of mse by" in said and "best 3 of huber by" in said
    assert main([*words, "hydra/launcher=basic", "hydra.sweep.dir=b"]) == 0
    said = capsys.readouterr().out
    assert "best 2 of mse by" in said and "best 2 of huber by" in said


def test_what_is_to_be_known_of_the_table_is_told_once_on_the_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{i},{2 * i},{3 * i + 1}\n" for i in range(20))
    Path("twice.csv").write_text(f"a,b,y\n{rows}")
    assert main(["-m", "seed=0,1", SHORT, "data=table", "data.path=twice.csv", "data.targets=[y]"]) == 0
    rank, copied = capsys.readouterr().err.splitlines()
    assert rank.startswith("warning: the optimum is not unique: rank 2 of 3 columns; ")
    assert copied.startswith("warning: column b is a copy of a")


def test_a_failing_class_of_ones_own_is_told_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    net = "def forward(self, x):\n        if torch.is_grad_enabled():\n            raise RuntimeError('oops')\n"
    Path("sweep_net.py").write_text(
        f"import torch\nclass Net(torch.nn.Linear):\n    {net}        return super().forward(x)\n"
    )
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "sweep_net")
    assert main(["-m", "seed=0,1,2", "model._target_=sweep_net.Net"]) == 1
    said = "failed: 3 jobs (0, 1, 2): oops (in sweep_net.py, line 5; sweep.log has the traceback)"
    assert said in capsys.readouterr().out
