"""`make craft`: what each value of docs/training.md does to one small network, on a store of phantoms.

    python -m tests.bench.craft STORE [--size 128] [--limit 8000] [--epochs 8] [--seeds 3] [--folder craft]
    python -m tests.bench.craft STORE --table      # of the runs that are there

Every run learns from the same patients at the same rates and is held against the plain run of seed 0, paired by slice,
on the patients of fold 0. The plain run is trained with several seeds: what they differ by is what chance alone does.
Runs lie in submissions/craft-NAME-SEED; those that are there are not trained again.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import read_table
from hemorrhage.files import write_json
from hemorrhage.pipeline.runs import Run, find_run, read_folds
from tests.bench.ladder import slice_losses

PLAIN = "plain"
CRAFT: dict[str, tuple[str, ...]] = {
    PLAIN: (),
    "cosine": ("schedule=cosine",),
    "cosine-warm-up": ("schedule=cosine", "warm_up=1"),
    "ema-0.98": ("ema=0.98",),
    "accumulate-2": ("accumulate=2",),
    "mixup-0.2": ("mixup=0.2",),
    "cutmix-1": ("cutmix=1",),
    "erase-0.25": ("erase=0.25",),
    "augment-none": ("augment=none",),
    "augment-strong": ("augment=strong",),
    "sizes": ("sizes=64,96,128",),
    "draw-hard": ("draw=hard",),
    "snapshots-2": ("schedule=cosine", "snapshots=2"),
    "average-3": ("average_epochs=1,1,1",),
}
"""By name, the values that are set; the rest is as in the plain run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the table and writing craft.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.craft")
    parser.add_argument("store", type=Path)
    parser.add_argument("--size", default="128")
    parser.add_argument("--limit", default="8000")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="names to train, apart by commas; the plain run is always trained")
    parser.add_argument("--folder", type=Path, default=Path("craft"))
    parser.add_argument("--table", action="store_true", help="only compare the runs that are there")
    options = parser.parse_args(arguments)
    if not options.table:
        chosen = set(options.only.split(",")) | {PLAIN} if options.only else set(CRAFT)
        for seed in range(options.seeds):
            for name in (each for each in CRAFT if each in chosen and (each == PLAIN or seed == 0)):
                train_once(options, name, seed)
    rows = compare(options.seeds)
    write_json(options.folder / "craft.json", {"rows": rows})
    for row in rows:
        interval = f"{row['difference']:+.5f}  {row['low']:+.5f} to {row['high']:+.5f}" if "low" in row else ""
        print(f"{row['name']:<24}{row['loss']:.5f}  {interval}")
    return 0


def train_once(options: argparse.Namespace, name: str, seed: int) -> None:
    """Trains one run where it is not there yet or was broken off; raises CalledProcessError where that fails."""
    given = [str(options.store), "--model", "compact", "--size", options.size, "--limit", options.limit]
    course = ["--epochs", options.epochs, "--folds", "3", "--fold", "0", "--set", "learning_rate_decay=0.75"]
    values = [word for value in CRAFT[name] for word in ("--set", value)]
    words = ["train", *given, *course, *values, "--run", f"craft-{name}-{seed}", "--resume"]
    subprocess.run([sys.executable, "-m", "hemorrhage", *words, "--set", f"seed={seed}"], check=True)


def compare(seeds: int) -> list[dict[str, object]]:
    """Returns a row a run: its weighted log loss, and the paired difference to the plain run of seed 0."""
    rows: list[dict[str, object]] = []
    plain = _read_losses(find_run(f"craft-{PLAIN}-0"))
    for name in CRAFT:
        for seed in range(seeds):
            run = Run(Path("submissions") / f"craft-{name}-{seed}")
            if not run.out_of_fold_path.is_file():
                continue
            losses = _read_losses(run)
            apart = losses["loss"] - plain["loss"].loc[losses.index]
            row: dict[str, object] = {"name": f"{name}, seed {seed}", "loss": float(losses["loss"].mean())}
            if name != PLAIN or seed:
                values = apart.to_numpy()
                low, high = bootstrap_interval(
                    losses["patient_id"].to_numpy().astype(str), lambda drawn, each=values: float(each[drawn].mean())
                )
                row |= {"difference": float(values.mean()), "low": low, "high": high}
            rows.append(row)
    return rows


def _read_losses(run: Run) -> pd.DataFrame:
    """Each held-out slice's patient and weighted log loss, by image_id."""
    table = read_table(run.out_of_fold_path).set_index("image_id")
    truth = read_folds(run).set_index("image_id").loc[table.index, list(LABELS)].to_numpy()
    probability = table[list(LABELS)].to_numpy(dtype=np.float64)
    return table[["patient_id"]].assign(loss=slice_losses(truth, probability))


if __name__ == "__main__":
    raise SystemExit(main())
