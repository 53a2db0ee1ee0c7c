"""What the predictions of a run will take here, from a few slices that it predicts just now."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import Input
from hemorrhage.pipeline.opening import open_predictor
from hemorrhage.pipeline.predictors import NetworkPredictor, Predictor
from hemorrhage.pipeline.runs import Run, fold_numbers, read_config, read_folds

SAMPLE = 64
_FEATURE_BYTES = 2
"""Of a float16, in which embeddings are kept."""


@dataclass(frozen=True)
class Forecast:
    """The hours of a run's predictions, embeddings among them, and the bytes of those embeddings (0 without)."""

    hours: float
    embedding_bytes: int


def forecast_run(run: Run, found: Input, tta: str | None, embeds: bool) -> Forecast:
    """Returns what it takes the run to predict its held-out slices and the test slices of `found`, in the views `tta`.

    With `embeds` each of its networks embeds every slice as well, in each view.
    """
    predictor = open_predictor(run, tta, SILENT)
    training, test = found.list_training(SILENT), found.list_test(SILENT)
    seconds, size = 0.0, 0
    if training is not None:
        folds = read_folds(run)[["image_id", "fold"]]
        held_out = folds[folds["fold"].isin(fold_numbers(read_config(run)))].merge(training, on="image_id")
        seconds += _extrapolate(held_out, lambda sample: predictor.predict_held_out(sample, found.build_source))
    if test is not None:
        seconds += _extrapolate(test, lambda sample: predictor.predict(sample, found.build_source, "test slices"))
    for part in (training, test):
        if embeds and part is not None:
            embedded, bytes_here = _forecast_embeddings(predictor, part, found)
            seconds, size = seconds + embedded, size + bytes_here
    return Forecast(seconds / 3600, size)


def _forecast_embeddings(predictor: Predictor, slices: pd.DataFrame, found: Input) -> tuple[float, int]:
    """Returns the seconds and bytes of what all networks make of all slices."""
    if not isinstance(predictor, NetworkPredictor):
        return 0.0, 0  # 'predict' says why there are none
    widths: list[int] = []

    def embed(sample: pd.DataFrame) -> None:
        images = predictor.open_images(sample, found.build_source)
        seen, _ = predictor.embed(next(iter(predictor.networks)), sample, images, "embedded slices")
        widths.append(sum(view.features.shape[1] for view in seen.views))

    seconds = len(predictor.networks) * _extrapolate(slices, embed)
    return seconds, len(predictor.networks) * len(slices) * _FEATURE_BYTES * max(widths, default=0)


def _extrapolate(slices: pd.DataFrame, work: Callable[[pd.DataFrame], object]) -> float:
    """Returns the seconds of `work` on all slices, from those of its second time on the first SAMPLE readable ones."""
    sample = slices[slices["error"].isna()].head(SAMPLE)
    if sample.empty:
        return 0.0
    work(sample)  # compiles, and fills caches
    started = time.monotonic()
    work(sample)
    return (time.monotonic() - started) * len(slices) / len(sample)
