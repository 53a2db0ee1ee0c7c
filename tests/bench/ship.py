"""`make ship RUN=...`: the last network of a run trained on phantoms put into the package, without its optimizer.

    python -m tests.bench.ship RUN PHANTOM NAME

RUN is a run of one fold, PHANTOM the folder of 'hemorrhage phantom' it was trained on, whose version,
seed and hash go with the network, NAME what 'hemorrhage predict @NAME' will know it as. The card is written by hand.
"""

import sys
from pathlib import Path

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.models.weights import read_model, save_model
from hemorrhage.pipeline.config import ALL_FOLDS, config_to_json
from hemorrhage.pipeline.runs import SHIPPED, Run, find_run, read_config


def main() -> int:
    """Returns 0 after writing the run into the package."""
    name, phantom, shipped = sys.argv[1:]
    run, target = find_run(name), Run(SHIPPED / shipped)
    config = read_config(run)
    if config.fold == ALL_FOLDS:
        raise HemorrhageError(f"{run.folder}: expected a run of one fold, which has one network.")
    made_by = read_json(Path(phantom) / "phantom.json")
    facts = {key: made_by[key] for key in ("generator_version", "seed", "data_hash")}
    # Read without its optimizer, and so saved without.
    save_model(read_model(run.model_path(config.epochs)), target.model_path(config.epochs))
    write_json(target.training_path, read_json(run.training_path) | facts)
    write_json(target.config_path, config_to_json(config) | {"average_epochs": [1.0]})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
