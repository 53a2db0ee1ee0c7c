"""calibration.json in a run's folder, and whether it is of the predictions that lie beside it."""

from collections.abc import Mapping

import numpy as np

from hemorrhage.data.calibration import Calibration
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object, write_json
from hemorrhage.pipeline.out_of_fold import OutOfFold, read_out_of_fold_hash
from hemorrhage.pipeline.runs import Run


def write_calibration(run: Run, calibration: Calibration, found: OutOfFold, judged: Mapping[str, float]) -> None:
    """Writes the calibration, what it was fitted on, and the weighted log loss of each kind on patients held out."""
    facts = {"out_of_fold_hash": found.hash, "slices": len(found.truth), "patients": len(np.unique(found.patients))}
    write_json(run.calibration_path, facts | {"weighted_log_loss_held_out": dict(judged)} | calibration.to_json())


def read_calibration(run: Run) -> Calibration:
    """Returns the calibration of a run; raises HemorrhageError where it has none, or one of other predictions."""
    advice = f"Run 'hemorrhage calibrate {run.folder.name}'."
    if not run.calibration_path.is_file():
        raise HemorrhageError(f"{run.calibration_path}: expected a calibration, found none. {advice}")
    written = read_object(run.calibration_path, advice)
    if written.get("out_of_fold_hash") != read_out_of_fold_hash(run):
        raise HemorrhageError(
            f"{run.calibration_path}: expected a calibration of {run.out_of_fold_path.name} as it is now, received one "
            f"of other predictions. {advice}"
        )
    try:
        return Calibration.from_json(written)
    except HemorrhageError as error:
        raise HemorrhageError(f"{run.calibration_path}: {error} {advice}") from error
