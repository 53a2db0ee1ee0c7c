"""What follows the predictions of networks in the kernel infer: a series model, a blend, calibration.

All of it is checked before the networks predict, since that takes hours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hemorrhage.data.blending import BLENDS
from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.parameters import FLAG, SETTINGS, TEXT, check_parameters, or_none
from hemorrhage.pipeline.runs import Run, fold_numbers, name_run, read_config, require_same_folds
from hemorrhage.pipeline.second_stage import SeriesConfig
from hemorrhage.pipeline.settings import convert_settings

BLEND = "blend"
"""The name of the run that is blended of all others."""


@dataclass(frozen=True)
class Stages:
    """`series` is what a series model sees, None for no such model; `blend` is how it and the networks are blended."""

    series: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    blend: str = "mean"
    calibrated: bool = False

    @property
    def words(self) -> dict[str, str]:
        """The settings of the series model as text, which is how the verb takes them."""
        return {key: str(value) for key, value in self.settings.items()} | {"on": str(self.series)}

    def group(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Returns what each series model is called, and the runs it sees: all of `names`, or each one's embeddings."""
        if self.series is None:
            return {}
        groups = [list(names)] if self.series == "probabilities" else [[name] for name in names]
        return {f"{group[0]}-series": group for group in groups}


NO_STAGES = Stages()


def check_words(stages: Stages) -> None:
    """Raises HemorrhageError for a parameter of another kind, and for a word that names nothing."""
    check_parameters(SERIES=(stages.series, or_none(TEXT)), SERIES_SETTINGS=(stages.settings, SETTINGS))
    check_parameters(BLEND=(stages.blend, TEXT), CALIBRATED=(stages.calibrated, FLAG))
    if stages.series is not None:
        SeriesConfig(**convert_settings(SeriesConfig, stages.words))
    if stages.blend not in BLENDS:
        raise HemorrhageError(f"Expected BLEND to be one of {', '.join(BLENDS)}; received {stages.blend!r}.")


def check_runs(stages: Stages, runs: Sequence[Run]) -> None:
    """Raises HemorrhageError where the runs cannot go together, or what is made of them would be called as one is."""
    names = [run.folder.name for run in runs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise HemorrhageError(f"Expected each run once in RUNS, received {repeated[0]} more than once.")
    require_same_folds(runs)
    held_out = {run.folder.name: set(fold_numbers(read_config(run))) for run in runs}
    if not set.intersection(*held_out.values()):
        listed = ", ".join(f"{name} {sorted(folds)}" for name, folds in held_out.items())
        raise HemorrhageError(
            f"Expected runs that hold out a fold in common, by which a blend is judged; received {listed}. Name those "
            "of one fold in RUNS."
        )
    series = stages.group(names)
    for name in (*series, *([BLEND] if len(names) + len(series) > 1 else [])):
        if name in names or name_run(name).is_there:
            raise HemorrhageError(
                f"Expected no run named {name}, which this kernel makes, found one in RUNS or in submissions/. Leave "
                "it out of RUNS, or remove its folder."
            )
