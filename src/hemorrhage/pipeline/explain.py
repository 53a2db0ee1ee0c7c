"""A run that is ready to explain: where its slice networks found what they answer, on any of its slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hemorrhage.ct.dicom import DicomError
from hemorrhage.ct.projection import project_maps, upsample_maps
from hemorrhage.data.labels import LABELS
from hemorrhage.data.source import WindowedSource
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.saliency import ExplainableNetwork, open_explainable, require_labels, require_method
from hemorrhage.pipeline.blend import BlendPredictor
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.inputs import warn_of_stand_ins
from hemorrhage.pipeline.opening import open_predictor
from hemorrhage.pipeline.predictors import NetworkPredictor, Opener, Predictor
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.series_predictor import SeriesPredictor


@dataclass(frozen=True)
class Layer:
    """What the networks of one run of 'train' saw: the mean of their maps, float32 N x labels x h x w, and the crop."""

    maps: np.ndarray
    crop: str


@dataclass(frozen=True)
class RunMaps:
    """Where a run's networks found evidence for `labels` in the slices `image_ids`.

    Of every network a map's maximum is 1, or 0 where nothing speaks for the label; the mean of several is lower where
    they disagree. `unreadable` says why some slices have no maps, `note` what was explained where it is not the run's
    own answer.
    """

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    layers: tuple[Layer, ...]
    unreadable: dict[str, str]
    note: str

    def on(self, image_id: str, pixels_hu: np.ndarray) -> np.ndarray:
        """Returns a slice's maps on its own `pixels_hu`, as the file has them: float32 labels x rows x columns."""
        row = self._row(image_id)
        return np.mean([project_maps(layer.maps[row], pixels_hu, layer.crop) for layer in self.layers], axis=0)

    def at(self, image_id: str, size: int) -> np.ndarray:
        """Returns a slice's maps on the square that the networks saw, float32 labels x size x size.

        Raises HemorrhageError where the networks saw different squares of it.
        """
        crops = {layer.crop for layer in self.layers}
        if len(crops) > 1:
            raise HemorrhageError(f"Expected networks of one crop, received {', '.join(sorted(crops))}.")
        row = self._row(image_id)
        return np.mean([upsample_maps(layer.maps[row], size, size) for layer in self.layers], axis=0)

    def _row(self, image_id: str) -> int:
        if image_id not in self.image_ids:
            cause = self.unreadable.get(image_id, "it was not among the slices to be explained")
            raise HemorrhageError(f"{image_id}: expected a slice with maps, received one without: {cause}.")
        return self.image_ids.index(image_id)


@dataclass(frozen=True)
class _Part:
    """A run of 'train', and its networks as they explain, by fold and each with its weight."""

    predictor: NetworkPredictor
    networks: dict[int, list[tuple[ExplainableNetwork, float]]]


@dataclass(frozen=True)
class Explainer:
    """A run of any kind, and the slice networks that it rests on."""

    predictor: Predictor
    parts: tuple[_Part, ...]
    note: str

    @property
    def needs_series(self) -> bool:
        """Whether a slice is answered for beside others of its series."""
        contexts = {part.predictor.config.context for part in self.parts}
        return contexts != {"none"} or not isinstance(self.predictor, NetworkPredictor)

    @property
    def folds(self) -> set[int]:
        """The folds that every part has networks of."""
        return set.intersection(*(set(part.networks) for part in self.parts))

    def explain(
        self,
        slices: pd.DataFrame,
        opener: Opener,
        image_ids: Sequence[str],
        labels: Sequence[str] = LABELS,
        method: str = "grad-cam",
        fold: int | None = None,
    ) -> RunMaps:
        """Returns where the networks found evidence for `labels` in the slices `image_ids`, as an unturned view.

        `slices` is a slice table of these and of all that may be their neighbors; `opener` is as for a Predictor.
        `method` is one of models.saliency. With `fold` only its networks are asked, which did not learn from its
        patients. Raises HemorrhageError for an unknown label, method, slice or fold.
        """
        require_method(method)
        require_labels(labels)
        _require_known(slices, image_ids)
        if fold is not None and fold not in self.folds:
            raise HemorrhageError(f"Expected a fold out of {sorted(self.folds)}, received {fold}.")
        unreadable: dict[str, str] = {}
        images = [_read_images(part.predictor, slices, opener, image_ids, unreadable) for part in self.parts]
        readable = tuple(image_id for image_id in image_ids if image_id not in unreadable)
        layers = [
            _draw_layer(part, [found[image_id] for image_id in readable], labels, method, fold)
            for part, found in zip(self.parts, images, strict=True)
        ]
        return RunMaps(readable, tuple(labels), tuple(layers), unreadable, self.note)

    def predict(
        self, slices: pd.DataFrame, opener: Opener, image_ids: Sequence[str], fold: int | None = None
    ) -> pd.DataFrame:
        """Returns the run's predictions of the slices `image_ids`, rows of what 'predict' gives for all of `slices`.

        With `fold`, which `slices` have in a column of that name, they are those of 'predict' for held-out slices.
        """
        _require_known(slices, image_ids)
        if isinstance(self.predictor, NetworkPredictor):
            return self.predictor.predict_some(slices, opener, image_ids, fold)
        if fold is None:
            table = self.predictor.predict(slices, opener, "slices")
        else:
            table = self.predictor.predict_held_out(slices, opener)
        rows = {image_id: row for row, image_id in enumerate(table["image_id"])}
        return table.iloc[[rows[image_id] for image_id in image_ids if image_id in rows]].reset_index(drop=True)


def open_explainer(run: Run, tta: str | None, console: Console) -> Explainer:
    """Returns the explainer of a run; `tta` names the views that it predicts by. Errors are as in open_predictor."""
    predictor = open_predictor(run, tta, console)
    parts = tuple(_open_part(below) for below in list_network_predictors(predictor))
    if isinstance(predictor, NetworkPredictor):
        return Explainer(predictor, parts, "")
    runs = "the slice networks below this run" if len(parts) > 1 else "the slice network below this run"
    note = f"Maps are of {runs}, of 'hemorrhage {run.kind}'; what that adds to their answers has no place in a slice."
    return Explainer(predictor, parts, note)


def list_network_predictors(predictor: Predictor) -> list[NetworkPredictor]:
    """Returns the runs of 'train' that a predictor rests on, one that two members rest on twice."""
    if isinstance(predictor, NetworkPredictor):
        return [predictor]
    if isinstance(predictor, SeriesPredictor):
        return list(predictor.below)
    if isinstance(predictor, BlendPredictor):
        return [below for member in predictor.members for below in list_network_predictors(member)]
    raise HemorrhageError(f"Expected a run of networks, of a second stage or a blend; received {predictor!r}.")


def _open_part(predictor: NetworkPredictor) -> _Part:
    networks = {
        fold: [(open_explainable(member.model), member.weight) for member in members]
        for fold, members in predictor.networks.items()
    }
    return _Part(predictor, networks)


def _require_known(slices: pd.DataFrame, image_ids: Sequence[str]) -> None:
    unknown = [image_id for image_id in image_ids if image_id not in set(slices["image_id"])]
    if unknown:
        raise HemorrhageError(f"Expected slices of the table, received {len(unknown)} others, first {unknown[0]!r}.")


def _read_images(
    predictor: NetworkPredictor,
    slices: pd.DataFrame,
    opener: Opener,
    image_ids: Sequence[str],
    unreadable: dict[str, str],
) -> dict[str, np.ndarray]:
    """Returns the images of a part by id, and adds to `unreadable` why some are not among them."""
    known = slices[slices["error"].notna()].set_index("image_id")["error"]
    unreadable |= {image_id: str(known[image_id]) for image_id in image_ids if image_id in known.index}
    source: WindowedSource = predictor.open_images(slices, opener)
    images: dict[str, np.ndarray] = {}
    for image_id in image_ids:
        if image_id in unreadable:
            continue
        try:
            images[image_id] = source.read_image(image_id)
        except DicomError as error:
            unreadable[image_id] = error.cause
    warn_of_stand_ins(source, predictor.console)
    return images


def _draw_layer(
    part: _Part, images: Sequence[np.ndarray], labels: Sequence[str], method: str, fold: int | None
) -> Layer:
    """Returns the weighted mean of the maps of a part's networks, all of them or those of one fold."""
    folds = part.networks if fold is None else [fold]
    networks = [each for number in folds for each in part.networks[number]]
    height, width = networks[0][0].seen.output_shape[0][1:3]
    total = np.zeros((len(images), len(labels), height, width), np.float32)
    stacked = np.stack(images) if images else np.empty((0, *networks[0][0].seen.input_shape[1:]), np.uint8)
    for network, weight in networks:
        total += weight * network.explain(stacked, labels, method, part.predictor.config.batch).maps
    return Layer(total / sum(weight for _, weight in networks), part.predictor.config.crop)
