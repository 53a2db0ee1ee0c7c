"""What a run is told: defaults, then the model's, then a preset's, then flags. Unknown keys fail."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemorrhage.ct.crop import CROPS
from hemorrhage.ct.windows import Window, parse_windows
from hemorrhage.data.augment import find_recipe
from hemorrhage.data.context import CONTEXTS
from hemorrhage.data.views import View, parse_views
from hemorrhage.errors import HemorrhageError
from hemorrhage.models.names import LOSS_NAMES, MODEL_NAMES, PRECISIONS
from hemorrhage.pipeline.settings import convert_settings, require

DRAWS = ("natural", "balance-any", "fractions", "hard")
SCHEDULES = ("decay", "cosine")
ALL_FOLDS = "all"


@dataclass(frozen=True)
class Config:
    """Every value of a training run, saved beside it as config.json."""

    model: str = "effb4"
    preset: str = "default"
    size: int = 256
    crop: str = "none"
    windows: str = "brain,subdural,bone"
    # Neighboring slices in the image: one of CONTEXTS, taken at so many mm below and above.
    context: str = "none"
    context_mm: float = 5.0
    weights: str = "imagenet"
    dropout: float = 0.3
    # Training
    epochs: int = 4
    batch: int = 32
    steps: int | None = None
    learning_rate: float = 3e-4
    learning_rate_decay: float = 0.6
    # One of SCHEDULES; the rate rises over the first `warm_up` epochs, which may be a part of one (see schedule.py).
    schedule: str = "decay"
    warm_up: float = 0.0
    freeze_epochs: int = 1
    freeze_learning_rate: float = 1e-3
    loss: str = "weighted_bce"
    augment: str = "geometric"
    # Off at 0: alpha of the Beta distributions of mixup and CutMix, the chance that a rectangle is erased.
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    # Image sizes in equal parts of the epochs, smaller ones first; empty for `size` throughout.
    sizes: tuple[int, ...] = ()
    # The momentum of the moving average of the weights, 0 for none; batches whose gradients make one update.
    ema: float = 0.0
    accumulate: int = 1
    # Predictions of the last epochs are averaged by these weights, or those at the end of so many cosine cycles.
    average_epochs: tuple[float, ...] = (1.0,)
    snapshots: int = 0
    precision: str = "auto"
    # A run is saved every so many minutes, at the next multiple of so many steps.
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int = 200
    # The epoch's draw: one of DRAWS; the four below count for "fractions", epoch_fraction for all.
    draw: str = "natural"
    negative_keep: float = 1.0
    positive_keep: float = 1.0
    epidural_copies: int = 0
    epoch_fraction: float = 1.0
    # Data
    folds: int = 5
    fold: str = "0"
    # What the patients are dealt by, apart from `seed`: runs that differ by seed alone can be blended.
    fold_seed: int = 0
    limit: int | None = None
    max_missing: float = 0.05
    skip_near_empty: bool = True
    seed: int = 0
    tta: str = "identity,mirror"
    workers: int = 4
    deterministic: bool = False

    def __post_init__(self) -> None:
        self._require_ranges()
        require(self.model in MODEL_NAMES, "model", f"one of {', '.join(MODEL_NAMES)}", self.model)
        require(self.loss in LOSS_NAMES, "loss", f"one of {', '.join(LOSS_NAMES)}", self.loss)
        require(self.crop in CROPS, "crop", f"one of {', '.join(CROPS)}", self.crop)
        require(self.context in CONTEXTS, "context", f"one of {', '.join(CONTEXTS)}", self.context)
        require(self.draw in DRAWS, "draw", f"one of {', '.join(DRAWS)}", self.draw)
        require(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}", self.precision)
        require(bool(self.average_epochs), "average_epochs", "at least one weight", self.average_epochs)
        require(
            all(0 < weight < 1e9 for weight in self.average_epochs),
            "average_epochs",
            "weights above 0",
            self.average_epochs,
        )
        self._require_course()
        is_fold = self.fold == ALL_FOLDS or (self.fold.isdecimal() and int(self.fold) < self.folds)
        require(is_fold, "fold", f"'{ALL_FOLDS}' or a number from 0 to {self.folds - 1}", self.fold)
        parse_windows(self.windows)
        parse_views(self.tta)
        find_recipe(self.augment)

    def _require_ranges(self) -> None:
        for key, (low, high) in _RANGES.items():
            value = getattr(self, key)
            require(value is None or low <= value <= high, key, f"a value from {low:g} to {high:g}", value)

    def _require_course(self) -> None:
        require(self.schedule in SCHEDULES, "schedule", f"one of {', '.join(SCHEDULES)}", self.schedule)
        is_cycle = self.cycle_epochs >= 1 and self.cycle_epochs == int(self.cycle_epochs)
        require(
            not self.snapshots or (self.schedule == "cosine" and is_cycle),
            "snapshots",
            f"0, or with schedule=cosine a divisor of the {self.epochs - self.freeze_epochs} epochs not frozen",
            self.snapshots,
        )
        alone = not self.snapshots or len(self.average_epochs) == 1
        require(alone, "average_epochs", "one weight where there are snapshots", self.average_epochs)
        is_short = self.warm_up == 0 or self.warm_up < self.cycle_epochs
        cycle = f"shorter than the {self.cycle_epochs:g} epochs in which the rate falls"
        require(is_short, "warm_up", cycle, self.warm_up)
        are_sizes = all(_RANGES["size"][0] <= size <= self.size for size in self.sizes)
        require(
            not self.sizes or (are_sizes and self.sizes[-1] == self.size),
            "sizes",
            f"sizes from {_RANGES['size'][0]:g}, the last of them the size of the run, {self.size}",
            self.sizes,
        )
        small = [epoch for epoch, _ in self.averaged if self.size_at(epoch - 1) != self.size]
        require(not small, "sizes", f"{self.size} in every epoch that is averaged; epochs {small} are not", self.sizes)

    @property
    def cycle_epochs(self) -> float:
        """Over how many epochs the rate falls once, those before the backbone is freed left out."""
        return max(self.epochs - self.freeze_epochs, 0) / max(self.snapshots, 1)

    @property
    def averaged(self) -> tuple[tuple[int, float], ...]:
        """The epochs, from 1, whose predictions make the run's, with weights that sum to 1."""
        if self.snapshots:
            ends = [self.freeze_epochs + (cycle + 1) * int(self.cycle_epochs) for cycle in range(self.snapshots)]
            return tuple((end, 1 / self.snapshots) for end in ends)
        weights = self.average_epochs[-self.epochs :]
        first = self.epochs - len(weights) + 1
        return tuple((first + place, weight / sum(weights)) for place, weight in enumerate(weights))

    def size_at(self, epoch: int) -> int:
        """Returns how many pixels a side the images of an epoch (from 0) have."""
        return self.sizes[epoch * len(self.sizes) // self.epochs] if self.sizes else self.size

    @property
    def window_set(self) -> tuple[Window, ...]:
        return parse_windows(self.windows)

    @property
    def channels(self) -> int:
        """How many channels an image of this config has."""
        return len(self.window_set) * (3 if self.context == "stack" else 1)

    @property
    def views(self) -> tuple[View, ...]:
        return parse_views(self.tta)


_RANGES: dict[str, tuple[float, float]] = {
    "size": (32, 1024),
    "context_mm": (0.1, 100),
    "dropout": (0, 0.95),
    "epochs": (1, 1000),
    "batch": (1, 4096),
    "steps": (1, 10**9),
    "learning_rate": (1e-9, 10),
    "learning_rate_decay": (1e-3, 1),
    "warm_up": (0, 1000),
    "freeze_epochs": (0, 1000),
    "mixup": (0, 100),
    "cutmix": (0, 100),
    "erase": (0, 1),
    "ema": (0, 0.999999),
    "accumulate": (1, 10_000),
    "snapshots": (0, 1000),
    "freeze_learning_rate": (1e-9, 10),
    "negative_keep": (1e-6, 1),
    "positive_keep": (1e-6, 1),
    "epidural_copies": (0, 100),
    "epoch_fraction": (1e-6, 1),
    "checkpoint_minutes": (0, 1e6),
    "checkpoint_steps": (1, 10**9),
    "folds": (2, 100),
    "limit": (2, 10**9),
    "max_missing": (0, 1),
    "seed": (0, 2**31 - 1),
    "fold_seed": (0, 2**31 - 1),
    "workers": (1, 256),
}

MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "compact": {
        "size": 128,
        "weights": "none",
        "epochs": 10,
        "learning_rate": 2e-3,
        "learning_rate_decay": 0.8,
        "freeze_epochs": 0,
    },
    # No published weights exist for these two.
    "resnet18": {"weights": "none"},
    "resnet34": {"weights": "none"},
    "resnet50": {"learning_rate": 3e-4},
    "effb2": {"size": 260},
}

# The original's hyperparameters; what it did not write down stays at zero (no dropout, no frozen epochs).
_ORIGINAL = {"windows": "brain,subdural,soft_tissue", "loss": "bce", "freeze_epochs": 0, "weights": "imagenet"}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "original-resnet50": _ORIGINAL
    | {
        "model": "resnet50",
        "size": 224,
        "batch": 32,
        "epochs": 5,
        "learning_rate": 5e-4,
        "learning_rate_decay": 0.8,
        "dropout": 0.0,
        "augment": "none",
        "tta": "identity",
        "draw": "fractions",
        "negative_keep": 0.35,
        "positive_keep": 0.5,
        "average_epochs": (1.0, 2.0, 4.0, 6.0),
    },
    "original-effb4": _ORIGINAL
    | {
        "model": "effb4",
        "size": 256,
        "batch": 16,
        "epochs": 6,
        "learning_rate": 1e-4,
        "learning_rate_decay": 1.0,
        "dropout": 0.2,
        "augment": "original",
        "draw": "fractions",
        "epidural_copies": 1,
        "epoch_fraction": 1 / 6,
    },
    "demo": {
        # So few heads are learned by heart within some epochs: a slow, noisy course, and the mean of its end.
        "model": "compact",
        "size": 96,
        "batch": 32,
        "epochs": 9,
        "learning_rate": 5e-4,
        "dropout": 0.5,
        "augment": "original",
        "average_epochs": (1.0, 1.0, 1.0),
        "workers": 2,
    },
}


def resolve_config(preset: str = "default", flags: Mapping[str, Any] | None = None) -> Config:
    """Returns the config of a run: defaults, the model's defaults, the preset, then `flags`, the later winning.

    Values of `flags` may be text as the command line has it. Raises HemorrhageError for an unknown preset or key,
    or a value of the wrong kind or out of range.
    """
    if preset not in PRESETS:
        raise HemorrhageError(f"Expected a preset out of {', '.join(PRESETS)}; received {preset!r}.")
    given = convert_settings(Config, flags or {})
    if "preset" in given:
        raise HemorrhageError("A preset is chosen by --preset, not by --set.")
    chosen = PRESETS[preset] | given
    model = chosen.get("model", Config.model)
    values = {"preset": preset} | MODEL_DEFAULTS.get(model, {}) | chosen
    # A backbone of random weights has nothing that freezing could spare.
    if values.get("weights") == "none" and "freeze_epochs" not in given:
        values["freeze_epochs"] = 0
    return Config(**values)


def config_to_json(config: Config) -> dict[str, Any]:
    """Returns the config as a dictionary of JSON values."""
    return dataclasses.asdict(config)


def config_from_json(values: Mapping[str, Any]) -> Config:
    """Returns the config that config_to_json wrote; raises HemorrhageError for unknown keys or bad values."""
    if not isinstance(values, Mapping):
        raise HemorrhageError(f"Expected a config of keys and values, received {values!r:.40}.")
    return Config(**convert_settings(Config, values))
