"""The reference is what the code says, and lists every tag and every number that runs leave, and no other."""

import re
from pathlib import Path

import orjson
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from docs import write_reference
from experiments.__main__ import main
from experiments.config.schema import OF_CLASSES
from experiments.stored.lookup import resolve
from experiments.tracking.result import STORED

CLASSES = "data=table data.path=pixels.csv loss=cross_entropy data.validation=0.5"
RUNS = (
    "data.validation=0.2 loss.l2=0.1 tracking.figures=true",
    f"{CLASSES} data.targets=[digit] data.inputs=[a,b,c,d] data.image=[2,2]",
    f"{CLASSES} data.targets=[odd] tracking.figures=false",
    "model=mlp tracking.figures=false",
)
"""Numbers with all there is beside them, classes of pictures, two classes, a network."""
PIXELS = "a,b,c,d,digit,odd\n" + "".join(f"{k % 3},{k % 2},{k},1,{k % 3},{k // 3 % 2}\n" for k in range(16))
SEARCH = "-m hydra/sweeper=search optimizer.lr=interval(1e-6,1e-5) search.trials=2 search.confirm=0"


def tags_of(folder: Path) -> set[str]:
    """The tags in a folder's event file, without those by which TensorBoard finds hyper-parameters."""
    (file,) = folder.glob("events.out.tfevents.*")
    found = {value.tag for event in EventFileLoader(str(file)).Load() for value in event.summary.value}
    return {tag for tag in found if not tag.startswith("_hparams_")}


def named(tag: str) -> str:
    """As the reference names it."""
    tag = re.sub(r"^plane/.+", "plane/<target>", tag)
    return re.sub(r"^weights/.+/.+", "weights/<target>/<feature>", tag).removesuffix("/text_summary")


def test_it_is_what_the_code_says() -> None:
    assert write_reference.PAGE.read_text(encoding="utf-8") == write_reference.page()


def test_it_has_every_tag_and_number_that_runs_leave_and_no_other() -> None:
    tags: set[str] = set()
    numbers: set[str] = set()
    Path("pixels.csv").write_text(PIXELS)
    for words in RUNS:
        assert main([*words.split(), "training.epochs=2"]) == 0
        folder = Path(resolve("last"))
        result = orjson.loads((folder / "result.json").read_bytes())
        assert set(result) <= set(STORED)
        numbers |= result["metrics"].keys()
        tags |= tags_of(folder)
    assert main(SEARCH.split()) == 0
    (study,) = Path("outputs/sweeps").glob("*/study")
    tags |= tags_of(study)
    assert {named(tag) for tag in tags} == write_reference.TAGS.keys()
    assert numbers == write_reference.METRICS.keys() | {f"validation_{name}" for name in OF_CLASSES}
