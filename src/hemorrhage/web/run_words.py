"""The run behind the page, in words."""

from typing import Any

from hemorrhage.pipeline.runs import is_shipped, list_members, read_config
from hemorrhage.web.network import Network


def describe_run(network: Network) -> dict[str, Any]:
    """Returns the run's name, what it is, and whether it knows synthetic heads alone and is calibrated."""
    run = network.run
    return {
        "run": network.name,
        "run_words": _say_what(network),
        "synthetic": is_shipped(run),
        "calibrated": network.calibration is not None,
        "answer_kind": "max" if network.learned is None else "learned",
    }


def _say_what(network: Network) -> str:
    run = network.run
    if is_shipped(run):
        return "a small network trained on synthetic heads alone; it ships with the program"
    if run.kind in ("train", "select"):
        config = read_config(run)
        return f"{config.model} at {config.size} px, a run of 'hemorrhage {run.kind}'"
    return f"made by 'hemorrhage {run.kind}' of {', '.join(list_members(run))}"
