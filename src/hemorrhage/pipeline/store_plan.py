"""Which slice goes into which shard of a store: settled once, so that any machine may do any shard at any time."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.ct.crop import CROPS
from hemorrhage.data.labels import LABELS, read_labels, require_agreement
from hemorrhage.data.layout import STORE_PLAN, DataSet
from hemorrhage.data.store import STORE_VERSION
from hemorrhage.data.table import read_table, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.slices import list_test_slices, list_train_slices

SHARD_SLICES = 2048
"""A shard ends with the series that reaches this many: some 40 MB at 256 px, a minute or less of work.

A reader holds a file open for each, and systems allow 1,024: the whole competition makes some 430.
"""

_SUBSET_SEED = 0


@dataclass(frozen=True)
class StoreOptions:
    """How a store is made: its image size in pixels and its crop, how many training patients (None: all), and the share
    of head in a slice below which training skips it.
    """

    size: int = 256
    crop: str = "none"
    patients: int | None = None
    min_head: float = 0.0

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("size", 128 <= self.size <= 512, "128 to 512"),
            ("crop", self.crop in CROPS, f"one of {', '.join(CROPS)}"),
            ("patients", self.patients is None or self.patients >= 2, "2 or more"),
            ("min-head", 0 <= self.min_head < 1, "at least 0 and below 1"),
        ):
            if not holds:
                received = getattr(self, name.replace("-", "_"))
                raise HemorrhageError(f"Expected --{name} to be {expected}, received {received}.")


@dataclass(frozen=True)
class Plan:
    """The slice table with `part`, `shard` and `file` (below its part's folder), and the hash that names the plan."""

    table: pd.DataFrame
    plan_hash: str
    min_head: float

    @property
    def shards(self) -> int:
        return int(self.table["shard"].max()) + 1


def read_or_build_plan(data_set: DataSet, options: StoreOptions, folder: Path, console: Console) -> Plan:
    """Returns the plan in the store `folder`, or a new one, which is written there.

    Raises HemorrhageError where the folder has a plan for other data or options, or holds something else.
    """
    key = _describe(data_set, options)
    path = folder / STORE_PLAN
    if path.is_file():
        _require_same(path, key)
        return read_plan(folder)
    if folder.exists() and any(one for one in folder.iterdir() if not one.name.startswith(".")):
        raise HemorrhageError(f"{folder}: expected a new or empty folder or a store begun before. Name another --out.")
    table = build_plan_table(data_set, options, console)
    write_table(folder / "plan.parquet", table)
    # Last, so that a plan is there whole or not at all.
    write_json(path, key | {"plan_hash": hash_plan(table, key)})
    return read_plan(folder)


def read_plan(folder: Path) -> Plan:
    """Returns the plan of the store in `folder`; raises HemorrhageError where there is none or it is damaged."""
    values = read_json(folder / STORE_PLAN)
    plan = Plan(read_table(folder / "plan.parquet"), values["plan_hash"], values["options"]["min_head"])
    if hash_plan(plan.table, {key: value for key, value in values.items() if key != "plan_hash"}) != plan.plan_hash:
        raise HemorrhageError(f"{folder / 'plan.parquet'}: not the one that {STORE_PLAN} names. Prepare a new store.")
    return plan


def read_options(folder: Path) -> StoreOptions:
    """Returns the options that the store in `folder` was begun with."""
    return StoreOptions(**read_json(folder / STORE_PLAN)["options"])


def build_plan_table(data_set: DataSet, options: StoreOptions, console: Console) -> pd.DataFrame:
    """Returns the slices of a data set in the order of the store: whole series by id, train before test."""
    parts = []
    if data_set.train_csv is not None and data_set.train_folder is not None:
        labels = require_agreement(read_labels(data_set.train_csv), data_set.train_csv).table
        train = list_train_slices(labels, data_set.train_folder, console)
        if options.patients is not None:
            train = choose_patients(train, options.patients)
        parts.append(_order(train.assign(part="train"), data_set.train_folder))
    if options.patients is None and data_set.test_folder is not None:
        test = list_test_slices(data_set, console)
        parts.append(_order(test.assign(part="test", sample_place=np.arange(len(test))), data_set.test_folder))
    if not parts:
        raise HemorrhageError("Expected training or test slices to prepare, found neither.")
    table = pd.concat([part.reindex(columns=_columns()).astype(_TYPES) for part in parts], ignore_index=True)
    return table.assign(shard=assign_shards(table))


def choose_patients(train: pd.DataFrame, patients: int) -> pd.DataFrame:
    """Returns the slices of so many patients, drawn by iterative-stratification to have the label shares of all."""
    known = train[train["patient_id"].notna()]
    by_patient = known.groupby("patient_id", sort=True)[list(LABELS)].max()
    if patients >= len(by_patient):
        raise HemorrhageError(f"Expected --patients below the {len(by_patient)} there are, received {patients}.")
    splitter = MultilabelStratifiedShuffleSplit(1, train_size=patients, test_size=None, random_state=_SUBSET_SEED)
    chosen, _ = next(splitter.split(np.zeros(len(by_patient)), by_patient.to_numpy()))
    return train[train["patient_id"].isin(by_patient.index[chosen])].reset_index(drop=True)


def assign_shards(table: pd.DataFrame) -> np.ndarray:
    """Returns the shard of each row; one begins with the series after SHARD_SLICES slices, and with the test part."""
    series = table["series_id"].fillna("").to_numpy()
    part = table["part"].to_numpy()
    starts = np.flatnonzero(np.r_[True, (series[1:] != series[:-1]) | (part[1:] != part[:-1])])
    shards = np.zeros(len(table), dtype=np.int64)
    shard, begun = -1, 0
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(table)], strict=True):
        if shard < 0 or start - begun >= SHARD_SLICES or part[start] != part[begun]:
            shard, begun = shard + 1, start
        shards[start:end] = shard
    return shards


def hash_plan(table: pd.DataFrame, key: dict[str, Any]) -> str:
    """Returns the hash of a plan: of its rows, whatever machine and folder they were found in, and of its options."""
    digest = hashlib.blake2b(repr(sorted(key.items())).encode(), digest_size=16)
    rows = pd.util.hash_pandas_object(table[["image_id", "part", "file", "shard"]].astype(str), index=False)
    digest.update(rows.to_numpy().tobytes())
    return digest.hexdigest()


def _columns() -> list[str]:
    return ["image_id", "part", "sample_place", *LABELS, *_HEADER_COLUMNS, "file", "error"]


# Header facts that later steps use; ids and paths of this machine stay out of the store.
_HEADER_COLUMNS = ["patient_id", "study_id", "series_id", "z_mm", "rows", "columns", "bits_stored"]
_HEADER_COLUMNS += ["pixel_representation", "rescale_intercept", "is_wrapped"]
_TYPES: dict[str, Any] = {"sample_place": "Int64"} | dict.fromkeys(LABELS, "Int8") | {"z_mm": "float64"}
_TYPES |= {"rows": "Int32", "columns": "Int32", "bits_stored": "Int32", "pixel_representation": "Int32"}
_TYPES |= {"rescale_intercept": "float64", "is_wrapped": "boolean"}
# A scan read from its cache has another type for text than a new one, and the plan must be the same bytes.
_TYPES |= dict.fromkeys(["image_id", "part", "patient_id", "study_id", "series_id", "file", "error"], "object")


def _order(slices: pd.DataFrame, root: Path) -> pd.DataFrame:
    files = [Path(path).relative_to(root).as_posix() if isinstance(path, str) else None for path in slices["path"]]
    slices = slices.assign(file=pd.Series(files, index=slices.index, dtype="object"))
    return slices.sort_values(["series_id", "z_mm", "image_id"], ignore_index=True)


def _describe(data_set: DataSet, options: StoreOptions) -> dict[str, Any]:
    return {
        "store_version": STORE_VERSION,
        "codec_version": CODEC_VERSION,
        "options": asdict(options),
        "train_csv": _hash_csv(data_set.train_csv),
        "sample_csv": _hash_csv(data_set.sample_csv),
    }


def _hash_csv(path: Path | None) -> str | None:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() if path is not None else None


def _require_same(path: Path, key: dict[str, Any]) -> None:
    saved = read_json(path)
    differing = [name for name in key if saved.get(name) != key[name]]
    if differing:
        raise HemorrhageError(
            f"{path}: this store was begun from other data or with other options ({', '.join(differing)} differ). "
            "Use the same words as then, or name another --out."
        )
