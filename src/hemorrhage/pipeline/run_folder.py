"""The folder of one run: where each of its files lies, and by which of them it is known what made it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """The folder of a run, or of one fold of it, and the names of the files in it."""

    folder: Path

    @property
    def config_path(self) -> Path:
        return self.folder / "config.json"

    @property
    def environment_path(self) -> Path:
        return self.folder / "environment.json"

    @property
    def training_path(self) -> Path:
        return self.folder / "training.json"

    @property
    def folds_path(self) -> Path:
        return self.folder / "folds.parquet"

    @property
    def unreadable_path(self) -> Path:
        return self.folder / "unreadable.csv"

    @property
    def history_path(self) -> Path:
        return self.folder / "history.csv"

    @property
    def tensorboard_folder(self) -> Path:
        return self.folder / "tensorboard"

    @property
    def out_of_fold_path(self) -> Path:
        return self.folder / "out_of_fold.parquet"

    @property
    def test_path(self) -> Path:
        return self.folder / "test.parquet"

    @property
    def calibration_path(self) -> Path:
        return self.folder / "calibration.json"

    @property
    def reliability_path(self) -> Path:
        return self.folder / "reliability.png"

    @property
    def studies_path(self) -> Path:
        return self.folder / "studies.csv"

    @property
    def studies_json_path(self) -> Path:
        return self.folder / "studies.json"

    @property
    def series_json_path(self) -> Path:
        """Describes a run of second stages; there is no config.json beside it."""
        return self.folder / "series.json"

    @property
    def stage_folds_path(self) -> Path:
        """For each held-out slice of the runs below the fold whose series model answers for it."""
        return self.folder / "stage_folds.parquet"

    @property
    def blend_json_path(self) -> Path:
        """Describes a run made of other runs; there is no config.json beside it."""
        return self.folder / "blend.json"

    @property
    def select_json_path(self) -> Path:
        """Describes a run that is a part of another; there is no config.json beside it."""
        return self.folder / "select.json"

    @property
    def kind(self) -> str | None:
        """The verb that made the run in the folder, None where there is none."""
        paths = (self.config_path, self.series_json_path, self.blend_json_path, self.select_json_path)
        verbs = zip(("train", "series", "blend", "select"), paths, strict=True)
        return next((verb for verb, path in verbs if path.is_file()), None)

    @property
    def is_there(self) -> bool:
        """Whether the folder holds a run of any kind."""
        return self.kind is not None

    def series_path(self, fold: int) -> Path:
        return self.folder / "models" / f"series-{fold:03d}.keras"

    @property
    def submission_path(self) -> Path:
        return self.folder / "submission.csv"

    def model_path(self, epoch: int) -> Path:
        return self.folder / "models" / f"epoch-{epoch:03d}.keras"

    def validation_path(self, epoch: int) -> Path:
        return self.folder / "validation" / f"epoch-{epoch:03d}.parquet"

    @classmethod
    def nowhere(cls) -> "Run":
        """Returns a run that has no folder, and so nothing in it."""
        return cls(Path(os.devnull))

    def fold(self, fold: int) -> "Run":
        return Run(self.folder / f"fold-{fold}")

    def saved_epochs(self) -> list[int]:
        """Returns the epochs, from 1, whose model is here, in order."""
        return sorted(int(path.stem.removeprefix("epoch-")) for path in self.folder.glob("models/epoch-*.keras"))
