"""The first part of a report: which run this is, what it was made of, with and how long it took."""

from collections.abc import Sequence

import numpy as np

from hemorrhage.data.labels import LABELS
from hemorrhage.files import read_json
from hemorrhage.pipeline.config import config_to_json
from hemorrhage.pipeline.console import count
from hemorrhage.pipeline.runs import list_members
from hemorrhage.report.elements import Content, Html, build_table, hide, join, note
from hemorrhage.report.material import Material, Origin
from hemorrhage.report.numbers import NOTHING, show_count, show_duration, show_share


def build_summary(material: Material) -> Html:
    """Returns what the run is, its data, and config, commit, duration and versions of what it is made of."""
    parts = [
        build_table("Data", ("", "slices", "patients", "series", *LABELS), _list_data(material)),
        _tabulate_origins(material.origins) if material.origins else note("No run of 'train' below it is there."),
        *(_hide_config(origin) for origin in material.origins),
    ]
    if material.gone:
        parts.insert(0, note(f"No longer there: {', '.join(material.gone)}, which it was made of."))
    return join(parts)


def describe_run(material: Material) -> str:
    """Returns a sentence that says by which verb the run was made, and of what."""
    kind = material.run.kind
    if kind == "train":
        config = material.origins[0].config
        fold = "all folds" if config.fold == "all" else f"fold {config.fold}"
        return (
            f"A run of 'hemorrhage train': {config.model} at {config.size} px, {fold} of {config.folds}, "
            f"{count(config.epochs, 'epoch')}."
        )
    return f"A run of 'hemorrhage {kind}', made of {', '.join(list_members(material.run))}."


def _list_data(material: Material) -> list[Sequence[Content]]:
    slices, truth = material.found.slices, material.found.truth
    patients, series = slices["patient_id"].nunique(), slices["series_id"].nunique()
    shares = [f"{show_count(int(truth[:, column].sum()))} ({show_share(mean)})" for column, mean in _means(truth)]
    judged = ["judged, out of fold", show_count(len(slices)), show_count(patients), show_count(series), *shares]
    known = read_json(material.run.training_path)
    prior = [show_share(value) for value in material.prior]
    learned = [show_count(known[key]) if key in known else NOTHING for key in ("slices", "patients")]
    rows: list[Sequence[Content]] = [judged, ["given to training", *learned, NOTHING, *prior]]
    if material.test is not None:
        test = material.test
        tested = (len(test), test["patient_id"].nunique(), test["series_id"].nunique())
        rows.append(["test, without labels", *map(show_count, tested), *[NOTHING] * len(LABELS)])
    return rows


def _means(truth: np.ndarray) -> list[tuple[int, float]]:
    return list(enumerate(truth.mean(axis=0).tolist()))


def _tabulate_origins(origins: Sequence[Origin]) -> Html:
    described = [_describe_origin(origin) for origin in origins]
    rows = [[key, *(one[key] for one in described)] for key in described[0]]
    return build_table("How it was made", ("", *(one.run.folder.name for one in origins)), rows, words=1 + len(origins))


def _describe_origin(origin: Origin) -> dict[str, str]:
    known = origin.environment
    packages = {"hemorrhage": known.get("hemorrhage"), "Python": known.get("python"), **known.get("packages", {})}
    command = " ".join(["hemorrhage", *map(str, known["command"][1:])]) if "command" in known else NOTHING
    return {
        "commit": _shorten(str(known.get("commit") or "not known")),
        "begun": str(known.get("started", NOTHING)).replace("T", " ").replace("+00:00", " UTC"),
        "epochs took": show_duration(origin.seconds) if any(origin.histories.values()) else NOTHING,
        "command": command,
        "versions": ", ".join(f"{name} {version}" for name, version in packages.items() if version) or NOTHING,
        "platform": str(known.get("platform", NOTHING)),
    }


def _shorten(commit: str) -> str:
    """A commit by as many letters as Git needs to find it; what follows, such as -dirty, stays."""
    name, dash, state = commit.partition("-")
    return f"{name[:12]}{dash}{state}"


def _hide_config(origin: Origin) -> Html:
    name = origin.run.folder.name
    rows = [(key, _show(value)) for key, value in config_to_json(origin.config).items()]
    return hide(
        f"Every value of the config of {name}", build_table(f"Config of {name}", ("key", "value"), rows, words=2)
    )


def _show(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
