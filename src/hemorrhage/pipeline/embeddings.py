"""What the networks of a run made of every slice, kept for a second stage.

RUN/embeddings/train.json, test.json               the folds and views of a part, written when all of it is there
RUN/embeddings/fold-K/train-VIEW.npy, test-...     float16 N x F: features before the head of fold K's network
RUN/embeddings/fold-K/train-VIEW.parquet, test-... ids, z and probabilities of the same N slices, row by row
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_object, replacing, write_json
from hemorrhage.pipeline.checked_tables import KEY_COLUMNS, read_predictions
from hemorrhage.pipeline.predictors import NetworkPredictor, Opener
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.second_stage import Output, Seen

PARTS = ("train", "test")
_AGAIN = "Run 'hemorrhage predict' with --embeddings again."


@dataclass(frozen=True)
class Kept:
    """What is kept of one of PARTS: of which folds' networks, in which views; and the file that says so."""

    path: Path
    part: str
    folds: tuple[int, ...]
    views: tuple[str, ...]


def write_embeddings(
    run: Run, predictor: NetworkPredictor, part: str, slices: pd.DataFrame, opener: Opener
) -> list[Path]:
    """Returns the files written: what each network of the run made of `slices`, all of the `part`, in its views.

    What was kept of the part before is removed first: of a part cut short nothing may be taken for whole.
    """
    _remove(run, part)
    written: list[Path] = []
    images = predictor.open_images(slices, opener)
    for fold in predictor.networks:
        seen, _ = predictor.embed(fold, slices, images, f"embedded {part} slices of fold {fold}")
        for view, values in zip(predictor.views, seen.views, strict=True):
            path = _path(run, fold, part, view.name)
            with replacing(path) as temporary:
                np.save(temporary, values.features, allow_pickle=False)
            probabilities = pd.DataFrame(values.probabilities, columns=list(LABELS))
            write_table(path.with_suffix(".parquet"), seen.table.join(probabilities).assign(error=None))
            written.append(path)
    views = [view.name for view in predictor.views]
    write_json(_json_path(run, part), {"folds": list(predictor.networks), "views": views})
    return [*written, _json_path(run, part)]


def require_embeddings(run: Run, folds: Sequence[int]) -> tuple[Kept, Kept | None]:
    """Returns what is kept of a run's training slices and, where anything is, of its test slices.

    Raises HemorrhageError where nothing is kept of the training slices, a part is not of all `folds`, or the parts are
    of different views.
    """
    training, test = _read_kept(run, "train"), _read_kept(run, "test")
    if training is None:
        raise HemorrhageError(
            f"{_json_path(run, 'train')}: expected what says that embeddings are whole, found none. "
            f"Run 'hemorrhage predict {run.folder.name} INPUT --embeddings'."
        )
    for kept in (training, test):
        if kept is not None and set(kept.folds) != set(folds):
            raise HemorrhageError(f"{kept.path}: expected folds {list(folds)}, received {list(kept.folds)}. {_AGAIN}")
    if test is None and any(run.folder.glob("embeddings/fold-*/test-*")):
        raise HemorrhageError(f"{_json_path(run, 'test')}: embeddings of test slices were cut short. {_AGAIN}")
    if test is not None and test.views != training.views:
        raise HemorrhageError(
            f"{test.path}: expected the views of {training.path.name}, {', '.join(training.views)}; received "
            f"{', '.join(test.views)}. {_AGAIN}"
        )
    return training, test


def read_embeddings(run: Run, kept: Kept, fold: int) -> Seen:
    """Returns what fold `fold`'s network of a run made of a part's slices in the views that are kept.

    Raises HemorrhageError where a file is missing or damaged, or views are of different slices.
    """
    paths = [_path(run, fold, kept.part, view) for view in kept.views]
    tables = [read_predictions(path.with_suffix(".parquet"), _AGAIN) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if table["image_id"].tolist() != tables[0]["image_id"].tolist():
            raise HemorrhageError(f"{path}: of other slices than {paths[0]}. {_AGAIN}")
    features = [_read_features(path, len(table)) for path, table in zip(paths, tables, strict=True)]
    views = [Output(table[list(LABELS)].to_numpy(), each) for table, each in zip(tables, features, strict=True)]
    return Seen(tables[0][KEY_COLUMNS], tuple(views))


def _read_kept(run: Run, part: str) -> Kept | None:
    path = _json_path(run, part)
    if not path.is_file():
        return None
    described = read_object(path, _AGAIN)
    folds, views = described.get("folds", []), described.get("views", [])
    if not _is_list_of(folds, int) or not _is_list_of(views, str):
        raise HemorrhageError(f"{path}: expected folds and views, received {folds!r} and {views!r}. {_AGAIN}")
    return Kept(path, part, tuple(folds), tuple(views))


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


def _remove(run: Run, part: str) -> None:
    _json_path(run, part).unlink(missing_ok=True)
    for path in run.folder.glob(f"embeddings/fold-*/{part}-*"):
        path.unlink()


def _json_path(run: Run, part: str) -> Path:
    return run.folder / "embeddings" / f"{part}.json"


def _path(run: Run, fold: int, part: str, view: str) -> Path:
    return run.folder / "embeddings" / f"fold-{fold}" / f"{part}-{view}.npy"


def _read_features(path: Path, rows: int) -> np.ndarray:
    try:
        features: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise HemorrhageError(f"{path}: expected a NumPy array, it is damaged ({error}). {_AGAIN}") from error
    if features.ndim != 2 or len(features) != rows:
        raise HemorrhageError(f"{path}: expected {rows} rows of features, received {features.shape}. {_AGAIN}")
    return features
