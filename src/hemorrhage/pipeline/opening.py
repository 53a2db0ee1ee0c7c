"""Any run made ready to predict, whatever it is made of."""

from hemorrhage.pipeline.blend import BlendPredictor, read_recipe
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.predictors import Predictor, open_networks
from hemorrhage.pipeline.runs import Run, find_run
from hemorrhage.pipeline.series_predictor import open_series


def open_predictor(run: Run, tta: str | None, console: Console) -> Predictor:
    """Returns the predictor of a run; `tta` names the views of its networks, by default those of their runs.

    Raises HemorrhageError for views that do not exist, an unfinished run, or one whose members are gone or were made
    anew; so no blend is part of itself.
    """
    if run.blend_json_path.is_file():
        names, recipe = read_recipe(run)
        parts = [open_predictor(find_run(one), tta, console) for one in names]
        return BlendPredictor(parts, recipe)
    if run.series_json_path.is_file():
        return open_series(run, tta, console)
    return open_networks(run, tta, console)
