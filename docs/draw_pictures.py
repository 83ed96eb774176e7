"""Draws the pictures of the README and the tutorial from runs made here: `python docs/draw_pictures.py`.

A minute; writes below docs/pictures/ (`scaling.png` there is of `benchmarks/scaling.py`). The comparisons are those of
`compare --png`, some without the panels at their sides. A palette keeps each picture below 150 kB.
"""

import dataclasses
import io
import os
import tempfile
from pathlib import Path

from PIL import Image

from experiments import run, sweep
from experiments.comparison.choosing import ordered
from experiments.comparison.curves import gather
from experiments.comparison.picture import figure as panels
from experiments.comparison.picture import png
from experiments.comparison.runs_table import collect

PICTURES = Path(__file__).with_name("pictures")
LARGE = 100_000
"""Bytes from which a picture gets a palette of 256 colours."""
DIGITS = (
    "data=digits", "loss=cross_entropy", "data.validation=0.2", "training.batch_size=128", "loss.l2=1e-3",
    "optimizer=adam", "optimizer.lr=0.01", "schedule=cosine", "training.epochs=300",
)  # fmt: skip
RATES = "1e-07,2e-07,5e-07,1e-06,2e-06,5e-06,1e-05,2e-05,5e-05,0.0001"


def small(picture: bytes) -> bytes:
    """The PNG, with a palette where it is large."""
    if len(picture) < LARGE:
        return picture
    colours = Image.open(io.BytesIO(picture)).convert("RGB")
    file = io.BytesIO()
    colours.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
    return file.getvalue()


def figure(name: str) -> bytes:
    """A figure of the newest run, a PNG."""
    newest = max(Path("outputs/runs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    return (newest / "figures" / f"{name}.png").read_bytes()


def comparison(*, curves: bool, best: bool) -> bytes:
    """What `experiments compare --png` draws of the newest sweep, with or without its panels at both sides."""
    newest = max(Path("outputs/sweeps").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    runs = collect([newest])
    plots, _ = gather(runs, ordered(runs.table, None))
    plots = [plot if best else dataclasses.replace(plot, best=None) for plot in plots]
    return png(panels(plots, curves=curves, keys=curves))


def main() -> None:
    """Train, draw, write."""
    made: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run("tracking.figures=true")
        made |= {name: figure(name) for name in ("plane_apples", "loss_surface")}
        run(*DIGITS, "tracking.figures=true")
        made["digit_weights"] = figure("weights")
        sweep("optimizer.lr=1e-6,1e-5,1e-4,1.1e-4,1.2e-4", "seed=range(0,20)", "training.batch_size=null")
        made["learning_rates"] = comparison(curves=True, best=True)
        sweep(f"optimizer.lr={RATES}", "seed=range(0,100)")
        made["thousand_runs"] = comparison(curves=True, best=False)
        sweep("experiment=lr_map")
        made["learning_rate_cliff"] = comparison(curves=False, best=False)
        os.chdir(PICTURES)
    for name, drawn in made.items():
        picture = small(drawn)
        (PICTURES / f"{name}.png").write_bytes(picture)
        print(f"{name}.png: {len(picture) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
