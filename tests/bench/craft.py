"""`make craft`: what each value of docs/training.md does to one small network, on a store of phantoms.

    python -m tests.bench.craft STORE [--size 128] [--limit 8000] [--epochs 8] [--seeds 3] [--folder craft]
    python -m tests.bench.craft STORE --table      # of the runs that are there

Every run learns from the same patients at the same rates; each is trained with the same seeds, whose losses of a slice
are averaged before they are held against the plain runs', paired by slice, on the patients of fold 0. The range over
seeds stands beside it: what a plain run differs by from another is what chance alone does.
Runs lie in submissions/craft-NAME-SEED; those that are there are not trained again.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.data.bootstrap import bootstrap_interval
from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import read_table
from hemorrhage.files import write_json
from hemorrhage.pipeline.runs import SUBMISSIONS, Run, read_folds
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
    "sizes": ("sizes=HALF,THREE_QUARTERS,FULL",),
    "draw-hard": ("draw=hard",),
    "snapshots-2": ("schedule=cosine", "snapshots=2"),
    "average-3": ("average_epochs=1,1,1",),
}
"""By name, the values that are set; the rest is as in the plain run. Sizes are parts of the run's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 after printing the table and writing craft.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.craft")
    parser.add_argument("store", type=Path)
    parser.add_argument("--size", type=int, default=128)
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
            for name in (each for each in CRAFT if each in chosen):
                train_once(options, name, seed)
    rows = compare(options.seeds)
    write_json(options.folder / "craft.json", {"rows": rows})
    print("| values | seeds | weighted log loss | range over seeds | difference to plain | 95 % |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(format_row(row, options.size))
    return 0


def train_once(options: argparse.Namespace, name: str, seed: int) -> None:
    """Trains one run where it is not there yet or was broken off; raises CalledProcessError where that fails."""
    given = [str(options.store), "--model", "compact", "--size", str(options.size), "--limit", options.limit]
    course = ["--epochs", options.epochs, "--folds", "3", "--fold", "0", "--set", "learning_rate_decay=0.75"]
    values = [word for value in CRAFT[name] for word in ("--set", _fill_sizes(value, options.size))]
    words = ["train", *given, *course, *values, "--run", f"craft-{name}-{seed}", "--resume"]
    subprocess.run([sys.executable, "-m", "hemorrhage", *words, "--set", f"seed={seed}"], check=True)


def _fill_sizes(value: str, size: int) -> str:
    parts = {"HALF": size // 2, "THREE_QUARTERS": size * 3 // 4, "FULL": size}
    for word, pixels in parts.items():
        value = value.replace(word, str(pixels))
    return value


def compare(seeds: int) -> list[dict[str, object]]:
    """Returns a row for each of CRAFT that has runs: its weighted log loss, and the paired difference to plain ones."""
    return [row for name in CRAFT if (row := _compare_one(name, seeds)) is not None]


def _compare_one(name: str, seeds: int) -> dict[str, object] | None:
    """Returns the row of one name over the seeds that both it and the plain run were trained with."""
    pairs = [(_find_run(name, seed), _find_run(PLAIN, seed)) for seed in range(seeds)]
    there = [(own, plain) for own, plain in pairs if own is not None and plain is not None]
    if not there:
        return None
    own = [_read_losses(run) for run, _ in there]
    losses = [float(table["loss"].mean()) for table in own]
    row: dict[str, object] = {"name": name, "seeds": len(there), "loss": float(np.mean(losses)), "by_seed": losses}
    if name == PLAIN:
        return row
    aparts = [table["loss"] - _read_losses(plain)["loss"] for table, (_, plain) in zip(own, there, strict=True)]
    apart = np.mean([each.loc[own[0].index].to_numpy() for each in aparts], axis=0)
    patients = own[0]["patient_id"].to_numpy().astype(str)
    low, high = bootstrap_interval(patients, lambda drawn: float(apart[drawn].mean()))
    return row | {"difference": float(apart.mean()), "low": low, "high": high}


def format_row(row: dict[str, Any], size: int) -> str:
    """Returns a row of the table in docs/training.md, for runs of `size` pixels."""
    name, by_seed = row["name"], row["by_seed"]
    values = (
        ", ".join(f"`{_fill_sizes(value, size)}`" for value in CRAFT[name]) or f"{PLAIN}: `learning_rate_decay=0.75`"
    )
    cells = [values, str(row["seeds"]), f"{row['loss']:.5f}", f"{min(by_seed):.5f} to {max(by_seed):.5f}"]
    if "difference" in row:
        cells += [f"{row['difference']:+.5f}", f"{row['low']:+.5f} to {row['high']:+.5f}"]
    return "| " + " | ".join(cells + [""] * (6 - len(cells))) + " |"


def _find_run(name: str, seed: int) -> Run | None:
    run = Run(SUBMISSIONS / f"craft-{name}-{seed}")
    return run if run.out_of_fold_path.is_file() else None


def _read_losses(run: Run) -> pd.DataFrame:
    """Each held-out slice's patient and weighted log loss, by image_id."""
    table = read_table(run.out_of_fold_path).set_index("image_id")
    truth = read_folds(run).set_index("image_id").loc[table.index, list(LABELS)].to_numpy()
    probability = table[list(LABELS)].to_numpy(dtype=np.float64)
    return table[["patient_id"]].assign(loss=slice_losses(truth, probability))


if __name__ == "__main__":
    raise SystemExit(main())
