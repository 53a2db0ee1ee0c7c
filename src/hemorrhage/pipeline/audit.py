"""The verb audit: what a data set holds, and whether it is safe to train on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hemorrhage.data.labels import LABELS, SUBTYPES, Labels
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.evidence import Evidence, read_folder_evidence, read_store_evidence
from hemorrhage.pipeline.inputs import StoreInput, find_input

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
    """Returns what the data set or the store under `input_folder` holds.

    Every DICOM slice is decoded, unless `quick` asks for headers alone (then unreadable pixels and identical slices
    stay unseen); a store is judged by its table. Raises HemorrhageError where there is no data set or its CSV is
    malformed.
    """
    found = find_input(input_folder)
    if isinstance(found, StoreInput):
        return judge(read_store_evidence(found.store))
    return judge(read_folder_evidence(found.data_set, quick, console))


def judge(evidence: Evidence) -> Findings:
    """Returns what the evidence amounts to."""
    findings = Findings(warnings=list(evidence.notes))
    train, test = evidence.train, evidence.test
    _audit_labels(findings, evidence.labels_file, evidence.labels)
    _audit_training_files(findings, evidence.labels.table, train)
    _audit_test_files(findings, evidence.sample_ids, test)
    for section, scan in (("train slices", train), ("test slices", test)):
        findings.facts[section] = describe_slices(scan)
    _audit_ids(findings, train, test)
    if "pixel_hash" in train and train["pixel_hash"].notna().any():
        _audit_identical(findings, evidence.labels.table, train, test)
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
    # Lists and sets, since Series.isin of text takes seconds at the competition's size.
    known, there = set(labels["image_id"].to_list()), scan["image_id"].to_list()
    labelled = scan[[image_id in known for image_id in there]]
    unreadable = labelled[labelled["error"].notna()]
    missing, extra = sorted(known.difference(there)), sorted(set(there) - known)
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


def _audit_test_files(findings: Findings, sample_ids: frozenset[str] | None, scan: pd.DataFrame) -> None:
    unreadable = scan[scan["error"].notna()]
    if len(unreadable):
        findings.warnings.append(f"{len(unreadable)} test files cannot be read: {_name_errors(unreadable)}")
    if sample_ids is None:
        return
    missing, extra = sorted(sample_ids - set(scan["image_id"])), sorted(set(scan["image_id"]) - sample_ids)
    findings.facts["test files"] = {
        "in the sample submission": len(sample_ids),
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


def find_identical(scan: pd.DataFrame) -> pd.DataFrame:
    """Returns the slices of a slice table whose pixels another has as well; constant ones, alike by nature, are not."""
    slices = scan[scan["pixel_hash"].notna() & ~scan["is_constant"].fillna(True).astype(bool)]
    return slices[slices["pixel_hash"].duplicated(keep=False)]


def _audit_identical(findings: Findings, labels: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Reports slices with the same pixels under different patients; constant slices are alike by nature."""
    repeated = find_identical(pd.concat([train, test], ignore_index=True))
    groups = repeated.merge(labels, on="image_id", how="left").groupby("pixel_hash")
    is_across = groups["patient_id"].nunique() > 1
    # nunique leaves out the test's missing labels.
    is_disagreeing = is_across & (groups[list(LABELS)].nunique() > 1).any(axis=1)
    across, disagreeing = int(is_across.sum()), int(is_disagreeing.sum())
    findings.facts["pixel-identical slices"] = {
        "groups": groups.ngroups,
        "groups across patients": across,
        "of these with labels that disagree": disagreeing,
    }
    if across:
        named = repeated[repeated["pixel_hash"].isin(is_across.index[is_across])].groupby("pixel_hash")["image_id"]
        findings.warnings.append(
            f"{across} groups of pixel-identical slices lie under different patients, {disagreeing} of them "
            f"with labels that disagree: {_name(named.agg(' = '.join))}"
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
