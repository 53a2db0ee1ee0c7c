"""The verb audit: what a data set holds, and whether it is safe to train on."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hemorrhage.data.labels import LABELS, SUBTYPES, Labels, read_labels, read_probabilities
from hemorrhage.data.layout import DataSet, find_data_set, list_slice_files
from hemorrhage.data.table import scan_slices
from hemorrhage.pipeline.console import Console

MAX_BAD_SHARE = 0.001
"""Above this share of labelled files missing or unreadable, a data set is not what it says it is."""

_NAMED = 5
_GROUP_COLUMNS = ["bits_stored", "pixel_representation", "rescale_intercept"]


@dataclass
class Findings:
    """Facts by section, what makes training unsafe, and what is only odd."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    unsafe: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def audit(input_folder: Path, quick: bool, console: Console) -> Findings:
    """Returns what the data set under `input_folder` holds.

    Every slice is decoded, unless `quick` asks for headers alone (then unreadable pixels and identical slices stay
    unseen). Raises HemorrhageError where there is no data set or its CSV is malformed.
    """
    data_set = find_data_set(input_folder)
    findings = Findings()
    labels = read_labels(data_set.labels_csv)
    train = _scan(data_set.train_folder, quick, console)
    test = _scan(data_set.test_folder, quick, console)
    _audit_labels(findings, data_set.labels_csv, labels)
    _audit_training_files(findings, labels.table, train)
    _audit_test_files(findings, data_set, test)
    for section, scan in (("train slices", train), ("test slices", test)):
        findings.facts[section] = describe_slices(scan)
    _audit_ids(findings, train, test)
    if not quick:
        _audit_identical(findings, labels.table, train, test)
    return findings


def describe_slices(scan: pd.DataFrame) -> dict[str, Any]:
    """Returns the counts of a slice table: patients, series, sizes, header groups, wrapped and constant slices."""
    readable = scan[scan["error"].isna()]
    groups = Counter(zip(*(readable[name] for name in _GROUP_COLUMNS), strict=True))
    sizes = Counter(zip(readable["rows"], readable["columns"], strict=True))
    return {
        "files": len(scan),
        "readable": len(readable),
        "patients": int(readable["patient_id"].nunique()),
        "series": int(readable["series_id"].nunique()),
        "sizes": {f"{rows} x {columns}": count for (rows, columns), count in sizes.most_common()},
        "header groups (bits stored / pixel representation / intercept)": {
            f"{bits} / {representation} / {intercept:g}": count
            for (bits, representation, intercept), count in groups.most_common()
        },
        "slices touched by the PixelRepresentation fix": int(readable["is_wrapped"].sum()),
        "constant slices": int(readable["is_constant"].fillna(False).sum()),
    }


def _scan(folder: Path | None, quick: bool, console: Console) -> pd.DataFrame:
    paths = list_slice_files(folder) if folder is not None else []
    what = f"{'headers' if quick else 'slices'} of {folder.name}" if folder is not None else ""
    return scan_slices(
        paths,
        with_pixels=not quick,
        workers=os.cpu_count() or 1,
        progress=lambda rows, total: console.track(rows, total, what),
    )


def _audit_labels(findings: Findings, path: Path, labels: Labels) -> None:
    table = labels.table
    findings.facts["labels"] = {
        "file": str(path),
        "images": len(table),
        "repeated rows": labels.duplicate_rows,
        "contradicting rows": len(labels.contradicting_ids),
        "positives": {label: f"{int(table[label].sum())} ({table[label].mean():.2%})" for label in LABELS},
    }
    if labels.duplicate_rows:
        findings.warnings.append(f"{labels.duplicate_rows} label rows are repeated; each image counts once.")
    if labels.contradicting_ids:
        findings.unsafe.append(
            f"{len(labels.contradicting_ids)} repeated label rows contradict each other: "
            f"{_name(labels.contradicting_ids)}"
        )
    odd = table.loc[table[list(SUBTYPES)].max(axis=1) != table["any"], "image_id"]
    if len(odd):
        findings.warnings.append(f"{len(odd)} images have an 'any' that is not the highest of the five: {_name(odd)}")


def _audit_training_files(findings: Findings, labels: pd.DataFrame, scan: pd.DataFrame) -> None:
    labelled = scan[scan["image_id"].isin(labels["image_id"])]
    unreadable = labelled[labelled["error"].notna()]
    missing = sorted(set(labels["image_id"]) - set(scan["image_id"]))
    extra = sorted(set(scan["image_id"]) - set(labels["image_id"]))
    findings.facts["labelled files"] = {
        "missing": len(missing),
        "unreadable": len(unreadable),
        "files without a label": len(extra),
    }
    bad = len(missing) + len(unreadable)
    serious = bad > MAX_BAD_SHARE * len(labels)
    problems = findings.unsafe if serious else findings.warnings
    if missing:
        problems.append(f"{len(missing)} of {len(labels)} labelled images have no file: {_name(missing)}")
    if len(unreadable):
        problems.append(f"{len(unreadable)} labelled files cannot be read: {_name_errors(unreadable)}")
    if extra:
        findings.warnings.append(f"{len(extra)} files have no label and are not used: {_name(extra)}")
    without = labelled[labelled["error"].isna() & labelled["patient_id"].isna()]
    if len(without):
        findings.unsafe.append(f"{len(without)} labelled files have no patient id: {_name(without['image_id'])}")


def _audit_test_files(findings: Findings, data_set: DataSet, scan: pd.DataFrame) -> None:
    unreadable = scan[scan["error"].notna()]
    if len(unreadable):
        findings.warnings.append(f"{len(unreadable)} test files cannot be read: {_name_errors(unreadable)}")
    if data_set.sample_csv is None:
        findings.warnings.append(
            "There is no stage_2_sample_submission.csv; a submission takes the test folder's files."
        )
        return
    sample = set(read_probabilities(data_set.sample_csv)["image_id"])
    missing, extra = sorted(sample - set(scan["image_id"])), sorted(set(scan["image_id"]) - sample)
    findings.facts["test files"] = {
        "in the sample submission": len(sample),
        "missing": len(missing),
        "unreadable": len(unreadable),
        "not in the sample submission": len(extra),
    }
    if missing:
        findings.warnings.append(f"{len(missing)} images of the sample submission have no file: {_name(missing)}")
    if extra:
        findings.warnings.append(f"{len(extra)} test files are not in the sample submission: {_name(extra)}")


def _audit_ids(findings: Findings, train: pd.DataFrame, test: pd.DataFrame) -> None:
    everything = pd.concat([train, test], ignore_index=True)
    repeated = everything.loc[everything["image_id"].duplicated(), "image_id"].unique()
    if len(repeated):
        findings.unsafe.append(f"{len(repeated)} image ids belong to more than one file: {_name(repeated)}")
    instances = everything["sop_instance_id"].dropna()
    twice = instances[instances.duplicated()].unique()
    if len(twice):
        findings.unsafe.append(f"{len(twice)} SOP instance ids stand in more than one file: {_name(twice)}")
    differing = everything[
        everything["sop_instance_id"].notna() & (everything["sop_instance_id"] != everything["image_id"])
    ]
    if len(differing):
        findings.warnings.append(
            f"{len(differing)} files have another id inside than their name: {_name(differing['image_id'])}"
        )
    shared = set(train["patient_id"].dropna()) & set(test["patient_id"].dropna())
    findings.facts["across train and test"] = {"patients in both": len(shared)}


def _audit_identical(findings: Findings, labels: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Reports slices with the same pixels under different patients; constant slices are alike by nature."""
    everything = pd.concat([train, test], ignore_index=True)
    slices = everything[everything["pixel_hash"].notna() & ~everything["is_constant"].fillna(True).astype(bool)]
    repeated = slices[slices["pixel_hash"].duplicated(keep=False)]
    groups = repeated.merge(labels, on="image_id", how="left").groupby("pixel_hash")
    across = [group for _, group in groups if group["patient_id"].nunique() > 1]
    disagreeing = [group for group in across if (group[list(LABELS)].dropna().nunique() > 1).any()]
    findings.facts["pixel-identical slices"] = {
        "groups": groups.ngroups,
        "groups across patients": len(across),
        "of these with labels that disagree": len(disagreeing),
    }
    if across:
        findings.warnings.append(
            f"{len(across)} groups of pixel-identical slices lie under different patients, {len(disagreeing)} of them "
            f"with labels that disagree: {_name(' = '.join(group['image_id']) for group in across)}"
        )


def _name(things: Iterable[Any]) -> str:
    named = [str(thing) for thing in things]
    return ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")


def _name_errors(scan: pd.DataFrame) -> str:
    return _name(f"{row.path}: {row.error}" for row in scan.itertuples())


def format_facts(findings: Findings) -> str:
    """Returns the facts as indented text for a terminal."""
    lines: list[str] = []
    for section, facts in findings.facts.items():
        lines.append(section)
        for name, value in facts.items():
            if isinstance(value, dict):
                lines.append(f"  {name}")
                lines += [f"    {key:<24} {count}" for key, count in value.items()]
            else:
                lines.append(f"  {name:<46} {value}")
    return "\n".join(lines)
