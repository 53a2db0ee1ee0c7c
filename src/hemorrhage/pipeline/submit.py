"""The verb submit: test predictions in, a checked submission.csv out. It never uploads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.calibration import Calibration, Scaling
from hemorrhage.data.labels import LABELS, read_probabilities, write_long
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.pipeline.calibration_file import read_calibration
from hemorrhage.pipeline.checked_tables import read_predictions
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.runs import find_run, read_prevalence, require_own

DEFAULT_CLIP = 1e-6
"""A wrong answer at 1e-6 costs 13.8; at 0 the scorer would charge 34.5."""

NO_CALIBRATION = Calibration("none", (Scaling(1.0, 0.0),) * len(LABELS), DEFAULT_CLIP)

MAX_UNREADABLE = 0.001


@dataclass(frozen=True)
class Submission:
    """The file written, and the slices that got the training prevalence because they could not be read."""

    path: Path
    slices: int
    filled: tuple[str, ...]


def submit(
    name: str, allow_missing: int | None, clip: float | None, console: Console, calibrated: bool = False
) -> Submission:
    """Returns the submission of run `name`, written as submission.csv into its folder.

    `calibrated` applies the run's calibration.json, and its clip where `clip` is None; else that is DEFAULT_CLIP.
    Raises HemorrhageError where there are no test predictions, where more than 0.1 % of the slices have none (or more
    than `allow_missing` where that is given), for a clip outside [0, 0.5), for a calibration that is missing or of
    other predictions, or where the written file does not pass check_submission; what was there before then stays.
    """
    if clip is not None and not 0 <= clip < 0.5:
        raise HemorrhageError(f"Expected a clip of at least 0 and below 0.5, received {clip}.")
    run = require_own(find_run(name))
    table = read_predictions(run.test_path)
    calibration = read_calibration(run) if calibrated else NO_CALIBRATION
    missing = table[table["any"].isna()]
    _require_few(missing, len(table), allow_missing)
    for image_id, error in zip(missing["image_id"], missing["error"], strict=True):
        console.warn(f"{image_id} gets the training prevalence: {error}")
    margin = calibration.clip if clip is None else clip
    table[list(LABELS)] = calibration.apply(table[list(LABELS)].to_numpy(dtype=np.float64))
    values = np.clip(fill_with_prevalence(table, read_prevalence(run)), margin, 1 - margin)
    with replacing(run.submission_path) as temporary:
        write_long(temporary, table["image_id"].to_numpy(), values)
        check_submission(temporary, table["image_id"].to_numpy())
    return Submission(run.submission_path, len(table), tuple(missing["image_id"]))


def fill_with_prevalence(table: pd.DataFrame, prevalence: np.ndarray) -> np.ndarray:
    """Returns the N x 6 float64 probabilities of a prediction table, with `prevalence` in the rows that have none."""
    values = table[list(LABELS)].to_numpy(dtype=np.float64)
    return np.where(np.isnan(values).any(axis=1, keepdims=True), prevalence, values)


def check_submission(path: Path, image_ids: np.ndarray) -> None:
    """Reads a submission back and raises HemorrhageError unless Kaggle would take it for `image_ids`.

    That is: the header ID,Label; six rows for each image and no others; a number in [0, 1] in every row.
    """
    written = read_probabilities(path)["image_id"]
    missing, extra = set(image_ids) - set(written), set(written) - set(image_ids)
    if missing or extra or len(written) != len(image_ids):
        raise HemorrhageError(
            f"{path}: expected {len(image_ids)} images, received {len(written)}; {len(missing)} missing "
            f"({', '.join(sorted(missing)[:3])}), {len(extra)} unknown ({', '.join(sorted(extra)[:3])})."
        )


def _require_few(missing: pd.DataFrame, total: int, allow_missing: int | None) -> None:
    if allow_missing is not None and allow_missing < 0:
        raise HemorrhageError(f"Expected --allow-missing of 0 or more, received {allow_missing}.")
    allowed = MAX_UNREADABLE * total if allow_missing is None else allow_missing
    if len(missing) > allowed:
        first = missing.iloc[0]
        raise HemorrhageError(
            f"{len(missing)} of {total} test slices have no prediction, more than the {int(allowed)} allowed; first "
            f"{first['image_id']}: {first['error'].rstrip('.')}. Mend the files and predict again, or give them the "
            f"training prevalence by --allow-missing {len(missing)}."
        )
