"""Weights and whole models, from files to networks and back."""

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.models.backbones import backbone_of, build_model, reset_normalization
from hemorrhage.models.ends import IMAGENET_MEAN
from hemorrhage.models.families import build_as_published
from hemorrhage.models.losses import LOSSES

NO_WEIGHTS = "none"
IMAGENET = "imagenet"


@dataclass(frozen=True)
class Pretrained:
    """Where the ImageNet weights of a backbone without its top lie on the net, and the file's MD5 or SHA-256 sum."""

    url: str
    file_hash: str

    @property
    def file_name(self) -> str:
        """The last part of the URL, under which Keras keeps the file in its cache."""
        return self.url.rsplit("/", 1)[-1]


_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
_EFFICIENTNET_URL = "https://storage.googleapis.com/keras-applications"
_NOISY_STUDENT_URL = "https://github.com/qubvel/efficientnet/releases/download/v0.0.1"
_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"

PRETRAINED = {
    "resnet50": Pretrained(f"{_KERAS_URL}/resnet/resnet50_{_KERNELS}", "4d473c1dd8becc155b73f8504c6f6626"),
    "effb0": Pretrained(f"{_EFFICIENTNET_URL}/efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "effb2": Pretrained(f"{_EFFICIENTNET_URL}/efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "effb4": Pretrained(f"{_EFFICIENTNET_URL}/efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "effb4-ns": Pretrained(
        f"{_NOISY_STUDENT_URL}/efficientnet-b4_noisy-student_notop.h5", "47c10902a4949eec589ab92fe1c35ed8"
    ),
    "effv2s": Pretrained(f"{_KERAS_URL}/efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    "densenet121": Pretrained(f"{_KERAS_URL}/densenet/densenet121_{_KERNELS}", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": Pretrained(f"{_KERAS_URL}/densenet/densenet169_{_KERNELS}", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "convnext-t": Pretrained(
        f"{_KERAS_URL}/convnext/convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "xception": Pretrained(f"{_KERAS_URL}/xception/xception_{_KERNELS}", "b0042744bf5b25fce3cb969f33bebb97"),
    "vgg16": Pretrained(f"{_KERAS_URL}/vgg16/vgg16_{_KERNELS}", "6d6bbae143d832006294945121d1f1fc"),
    "mobilenetv3": Pretrained(
        f"{_KERAS_URL}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "mobilenetv3-small": Pretrained(
        f"{_KERAS_URL}/mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
}
"""By model: the files, and so the cache entries, that keras.applications and efficientnet 1.1.1 ask for themselves."""


def load_weights(model: keras.Model, name: str, weights: str, own_channels: int | None = None) -> int:
    """Loads `weights` into `model`, built as `name`, and returns how many of its arrays were set.

    A model that sees neighbors takes the weights of one that sees slices alone, of `own_channels` channels: these then
    read the middle of its channels, and its neighbors count for nothing before training.

    `weights` is "none" (nothing is loaded), "imagenet" (the backbone, from Keras' cache or the net; Noisy Student for
    effb4-ns), a `.keras` file of this program (everything, head included), or a `.weights.h5` or older `.h5` file
    of the bare network (the backbone). Raises HemorrhageError where a file cannot be had, read or fitted.
    """
    if weights == NO_WEIGHTS:
        return 0
    if own_channels not in (None, model.input_shape[-1]) and not _is_as_wide(weights, model):
        narrow = build_model(name, model.input_shape[1], own_channels)
        count = load_weights(narrow, name, weights)
        widen(narrow, model)
        return count
    if weights == IMAGENET:
        return _load_backbone(model, _fetch_pretrained(name, model.input_shape[-1]))
    path = Path(weights).expanduser()
    if not path.is_file():
        raise HemorrhageError(
            f"{path}: expected {NO_WEIGHTS}, {IMAGENET} or a file of weights, found no file. Check the path."
        )
    if path.suffix == ".keras":
        return _load_whole(model, path)
    if path.suffix in (".h5", ".hdf5"):
        return _load_backbone(model, path)
    raise HemorrhageError(f"{path}: expected weights in a .keras, .weights.h5 or .h5 file, received {path.suffix!r}.")


def widen(narrow: keras.Model, model: keras.Model) -> None:
    """Gives `model` the weights of `narrow`, which differs from it in having a third of the channels.

    What the first layer makes of the middle third is what `narrow` makes of its channels; of the others it makes 0.
    """
    for theirs, ours in zip(narrow.weights, model.weights, strict=True):
        values = theirs.numpy() if hasattr(theirs, "numpy") else np.asarray(theirs)
        if tuple(ours.shape) != values.shape and len(ours.shape) > 1:
            own = values.shape[-2]
            wide = np.zeros(tuple(ours.shape), dtype=values.dtype)
            wide[..., own : 2 * own, :] = values
            values = wide
        if tuple(ours.shape) == values.shape:
            ours.assign(values)
    # A Normalization has a mean and a variance for each channel.
    reset_normalization(model)


def _is_as_wide(weights: str, model: keras.Model) -> bool:
    """Whether a file holds a whole model of as many channels as `model` has."""
    path = Path(weights).expanduser()
    return path.suffix == ".keras" and path.is_file() and read_model(path).input_shape[-1] == model.input_shape[-1]


def save_model(model: keras.Model, path: Path) -> None:
    """Writes the whole of `model`, optimizer included, as a `.keras` file that is complete or not there at all."""
    with replacing(path) as temporary:
        model.save(temporary)


def read_model(path: Path, compiled: bool = False) -> keras.Model:
    """Returns the model that a `.keras` file holds, ready to train on where `compiled`.

    Keras' safe mode stays on, so a file that carries code is refused. Raises HemorrhageError where the file is
    missing, cut short or no model.
    """
    if not path.is_file():
        raise HemorrhageError(f"{path}: expected a .keras model, found no such file. Train one, or check the path.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise HemorrhageError(
            f"{path}: expected a .keras model, received another kind of file or one cut short. Copy or train it again."
        )
    try:
        return keras.saving.load_model(path, custom_objects=LOSSES, compile=compiled)
    except _READING_FAULTS as error:
        raise HemorrhageError(
            f"{path}: expected a .keras model written by this program, received one that Keras cannot open "
            f"({_first_line(error)}). Copy or train it again."
        ) from error


def _fetch_pretrained(name: str, channels: int) -> Path:
    """Returns the cached file of the model's ImageNet weights, downloaded where it is not there yet."""
    if name not in PRETRAINED:
        raise HemorrhageError(
            f"{name}: expected a model with ImageNet weights, one of {', '.join(PRETRAINED)}; none exist for this one. "
            f"Use --weights {NO_WEIGHTS}."
        )
    if channels != len(IMAGENET_MEAN):
        raise HemorrhageError(
            f"{name}: expected 3 channels, since ImageNet weights were learned on RGB images, received {channels}. "
            f"Use three windows, or --weights {NO_WEIGHTS}."
        )
    source = PRETRAINED[name]
    try:
        return Path(
            keras.utils.get_file(source.file_name, source.url, cache_subdir="models", file_hash=source.file_hash)
        )
    except Exception as error:  # Keras raises a bare Exception where a download fails.
        raise HemorrhageError(
            f"{name}: the ImageNet weights could not be fetched from {source.url} ({_first_line(error)}). Download "
            f"the file on another machine and pass --weights PATH or put it in ~/.keras/models, or train from random "
            f"weights with --weights {NO_WEIGHTS}."
        ) from error


def _load_whole(model: keras.Model, path: Path) -> int:
    """Copies every array of the `.keras` model at `path` into `model`, which must be of the same kind."""
    found = read_model(path)
    if found.name != model.name:
        raise HemorrhageError(
            f"{path}: expected the weights of a {model.name} model, received those of {found.name}. "
            f"Name the model that the file was trained as."
        )
    expected_shapes, found_shapes = ([tuple(array.shape) for array in part.weights] for part in (model, found))
    if expected_shapes != found_shapes:
        raise HemorrhageError(f"{path}: {_difference(model.name, expected_shapes, found_shapes)}")
    model.set_weights(found.get_weights())
    return len(expected_shapes)


def _load_backbone(model: keras.Model, path: Path) -> int:
    """Loads an HDF5 file of weights into the backbone of `model` and leaves its head as it was."""
    backbone = backbone_of(model)
    published = build_as_published(model.name, *model.input_shape[-2:])
    written_as = backbone if published is None else published
    _check_kernels(written_as, model.name, path)
    try:
        written_as.load_weights(path)
    except _READING_FAULTS as error:
        raise HemorrhageError(
            f"{path}: expected the weights of a {model.name} backbone without its top, received a file that does not "
            f"fit it ({_first_line(error)}). Name the model that the file was made for."
        ) from error
    if published is not None:
        for ours, theirs in zip(backbone.weights, published.get_weights(), strict=True):
            ours.assign(theirs.reshape(ours.shape))
    reset_normalization(model)
    return len(backbone.weights)


def _check_kernels(backbone: keras.Model, name: str, path: Path) -> None:
    """Raises HemorrhageError unless the file holds a kernel of the right shape for every one of the backbone's.

    Keras matches arrays by position; this looks at the file itself, before a single weight of the model has changed.
    """
    expected = [tuple(array.shape) for array in backbone.weights if len(array.shape) > 1]
    found = _kernel_shapes(path)
    if Counter(expected) - Counter(found):
        raise HemorrhageError(f"{path}: {_difference(name, expected, found)}")


def _kernel_shapes(path: Path) -> list[tuple[int, ...]]:
    """Returns the shape of every array of two or more dimensions in an HDF5 file, in the file's order."""
    shapes: list[tuple[int, ...]] = []

    def collect(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and len(item.shape) > 1:
            shapes.append(item.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError) as error:
        raise HemorrhageError(
            f"{path}: expected an HDF5 file of weights, received another kind or one cut short ({_first_line(error)}). "
            f"Copy or download it again."
        ) from error
    return shapes


def _difference(name: str, expected: list[tuple[int, ...]], found: list[tuple[int, ...]]) -> str:
    """Returns one line that says how the arrays of a file differ from those of the model called `name`."""
    missing = Counter(expected) - Counter(found)
    extra = Counter(found) - Counter(expected)
    example = f"; {next(iter(missing))} is missing" if missing else ""
    example += f"; {next(iter(extra))} has no place" if extra else ""
    return (
        f"expected the {len(expected)} weight arrays of {name}, received {len(found)}, of which "
        f"{len(expected) - missing.total()} fit{example}. Name the model, channels and head that the file was made for."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


_READING_FAULTS = (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, zipfile.BadZipFile)
"""What Keras and h5py raise at a file that is damaged, foreign or of another shape."""
