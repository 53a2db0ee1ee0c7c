"""The run behind the page: the same predictor as `hemorrhage predict`, in one thread that takes turns."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.ct.codec import encode_slice
from hemorrhage.ct.crop import find_box
from hemorrhage.ct.dicom import DicomError
from hemorrhage.data.calibration import Calibration
from hemorrhage.data.calibration import clip as clip_probability
from hemorrhage.data.labels import LABELS
from hemorrhage.data.source import SliceSource
from hemorrhage.data.studies import Grouping, LearnedAnswer, take_max
from hemorrhage.pipeline.blend import BlendPredictor
from hemorrhage.pipeline.calibration_file import read_calibration
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.explain import Explainer, open_explainer
from hemorrhage.pipeline.predictors import NetworkPredictor, Predictor
from hemorrhage.pipeline.runs import Run, find_run, read_prevalence
from hemorrhage.pipeline.series_predictor import SeriesPredictor
from hemorrhage.pipeline.studies import read_learned
from hemorrhage.web.fairness import FairWorkers
from hemorrhage.web.limits import RefusedError

Advance = Callable[[int, int], None]
"""Is told how many slices are done, and of how many."""

# Small, so that progress is seen: a network says how far it is every eight batches.
_BATCH = 4


class HuSource:
    """Slices whose HU were saved by the reader's process; a SliceSource."""

    def __init__(self, found: Mapping[str, Path | str], size: int, crop: str) -> None:
        self._found = found
        self._size = size
        self._crop = crop

    def read_codes(self, image_id: str) -> np.ndarray:
        """Returns the slice as in SliceSource; DicomError with the cause where it could not be decoded."""
        path = self._found[image_id]
        if isinstance(path, str):
            raise DicomError(Path(image_id), path)
        pixels_hu = read_hu(path)
        return encode_slice(pixels_hu, self._size, find_box(pixels_hu, self._crop))


def read_hu(path: Path) -> np.ndarray:
    """Returns the HU that the reader's process saved, int16 H x W; raises OSError where the session was erased."""
    return np.asarray(np.load(path, allow_pickle=False))


@dataclass(frozen=True)
class Series:
    """What is predicted at once: a slice table of one series or more, and of each image id its HU's path or why not."""

    slices: pd.DataFrame
    found: Mapping[str, Path | str]

    def open(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        """Returns the source of the slices' codes; a pipeline.predictors.Opener."""
        del slices
        return HuSource(self.found, size, crop)


@dataclass(frozen=True)
class Answer:
    """Of a series: N x 6 as `predict` gives them (NaN where a slice has none), calibrated or None, and of the whole."""

    predicted: np.ndarray
    calibrated: np.ndarray | None
    whole: np.ndarray
    kind: str
    is_calibrated: bool


class Network:
    """A run that answers; everything that touches Keras happens in its one thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run = find_run(name)
        self.prevalence = read_prevalence(self.run)
        self.learned: LearnedAnswer | None = read_learned(self.run)
        self.calibration: Calibration | None = _read_calibration(self.run)
        self._advance: Advance = _say_nothing
        console = Console(say=SILENT.say, warn=SILENT.warn, bar=lambda total, what: _Bar(self, total))
        self.explainer: Explainer = open_explainer(self.run, None, console)
        self.predictor: Predictor = take_small_batches(self.explainer.predictor)
        self.thread = FairWorkers("network", 1)

    def predict(self, owner: str, series: Series, advance: Advance) -> Future[Answer]:
        """Returns the future answer for a series, in turn with those of other owners."""
        return self.thread.submit(owner, lambda: self._predict(series, advance))

    def explain(self, owner: str, series: Series, image_id: str, method: str) -> Future[np.ndarray]:
        """Returns the future maps of one slice for each label, float32 6 x rows x columns of its own, 0 to 1.

        Of a slice that could not be read the future raises HemorrhageError.
        """
        return self.thread.submit(owner, lambda: self._explain(series, image_id, method))

    def warm_up(self) -> None:
        """Predicts an empty head, twice, so that the first slice need not wait for what Keras compiles."""
        for count in (1, _BATCH, 3):
            self.predict("", _make_air(count), _say_nothing).result()

    def say(self, done: int, total: int) -> None:
        """Tells the job under way how far it is."""
        self._advance(done, total)

    def _explain(self, series: Series, image_id: str, method: str) -> np.ndarray:
        self._advance = _say_nothing
        path = series.found[image_id]
        if isinstance(path, str):
            raise RefusedError(f"This slice could not be read: {path}", 404)
        maps = self.explainer.explain(series.slices, series.open, [image_id], LABELS, method)
        return maps.on(image_id, read_hu(path))

    def _predict(self, series: Series, advance: Advance) -> Answer:
        self._advance = advance
        table = self.predictor.predict(series.slices, series.open, "slices")
        predicted = table[list(LABELS)].to_numpy(dtype=np.float64)
        return answer_whole(predicted, self.calibration, self.learned)


def answer_whole(predicted: np.ndarray, calibration: Calibration | None, learned: LearnedAnswer | None) -> Answer:
    """Returns slices and the whole: learned where the run has studies.json, else the highest of its slices.

    The learned answer takes slices as predicted, since it was fitted on such; the highest is one of calibrated slices.
    The noisy-or of `hemorrhage studies` is not taken: it errs upward with every slice. NaN of 6 without a slice.
    """
    calibrated = None
    if calibration is not None:
        calibrated = clip_probability(calibration.apply(predicted), calibration.clip)
    shown = predicted if calibrated is None else calibrated
    is_known = ~np.isnan(predicted).any(axis=1)
    if not is_known.any():
        return Answer(predicted, calibrated, np.full(len(LABELS), np.nan), "max", False)
    one_study = Grouping(np.zeros(int(is_known.sum()), dtype=np.int64))
    if learned is not None:
        return Answer(predicted, calibrated, learned.apply(predicted[is_known], one_study)[0], "learned", True)
    return Answer(predicted, calibrated, take_max(shown[is_known], one_study)[0], "max", calibrated is not None)


def take_small_batches(predictor: Predictor, batch: int = _BATCH) -> Predictor:
    """Returns the predictor with smaller batches in all its networks; what it says stays the same to 1e-5."""
    match predictor:
        case NetworkPredictor():
            return replace(predictor, config=replace(predictor.config, batch=batch, workers=1))
        case BlendPredictor():
            return replace(predictor, members=[take_small_batches(one, batch) for one in predictor.members])
        case SeriesPredictor():
            below = [replace(one, config=replace(one.config, batch=batch, workers=1)) for one in predictor.below]
            return replace(predictor, below=below)
    return predictor


def _read_calibration(run: Run) -> Calibration | None:
    return read_calibration(run) if run.calibration_path.is_file() else None


def tabulate(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Returns a slice table of rows that have image_id, patient_id, series_id, z_mm and error."""
    types = {"image_id": "object", "patient_id": "object", "series_id": "object", "z_mm": "float64", "error": "object"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _make_air(count: int) -> Series:
    ids = [str(number) for number in range(count)]
    table = tabulate(
        [{"image_id": one, "patient_id": "", "series_id": "", "z_mm": 5.0 * float(one), "error": None} for one in ids]
    )
    return _Air(table, {})


@dataclass(frozen=True)
class _Air(Series):
    def open(self, slices: pd.DataFrame, size: int, crop: str) -> SliceSource:
        del slices, crop
        return _AirSource(size)


@dataclass(frozen=True)
class _AirSource:
    size: int

    def read_codes(self, image_id: str) -> np.ndarray:
        del image_id
        return np.zeros((self.size, self.size), dtype=np.uint8)


def _say_nothing(done: int, total: int) -> None:
    del done, total


class _Bar:
    """A progress bar that speaks to the job under way."""

    def __init__(self, network: Network, total: int) -> None:
        self._network, self._total, self._done = network, total, 0

    def update(self, n: int = 1) -> None:
        self._done += n
        self._network.say(self._done, self._total)

    def close(self) -> None:
        """Has nothing to close."""
