"""Which slice goes into which shard of a store: settled once, so that any machine may do any shard at any time."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hemorrhage.ct.codec import CODEC_VERSION
from hemorrhage.ct.crop import CROPS
from hemorrhage.data.labels import LABELS
from hemorrhage.data.layout import STORE_PLAN, DataSet
from hemorrhage.data.store_files import PREPARE_AGAIN, STORE_VERSION, require_versions
from hemorrhage.data.table import read_table, write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import describe_os_error, read_object, write_json
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.store_slices import choose_patients, list_test, list_train

PLAN_TABLE = "plan.parquet"

SHARD_SLICES = 2048
"""A shard ends with the series that reaches this many: some 40 MB at 256 px, a minute or less of work.

A reader holds a file open for each, and systems allow 1,024: the whole competition makes some 430.
"""


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
    """The slice table with `part`, `shard` and `file` (below its part's folder), how the store is made, and the hash
    that names all this.
    """

    table: pd.DataFrame
    options: StoreOptions
    plan_hash: str

    @property
    def shards(self) -> int:
        return int(self.table["shard"].max()) + 1


def read_or_build_plan(
    data_set: DataSet, options: StoreOptions, folder: Path, max_missing: float, console: Console
) -> Plan:
    """Returns the plan in the store `folder`, or a new one, which is written there.

    Raises HemorrhageError where the folder has a plan for other data or options, and as build_plan_table does.
    """
    key, path = _describe(data_set, options), folder / STORE_PLAN
    saved_hash = None
    if path.is_file():
        saved_hash = _read_hash_of_same(path, key)
        # What was lost or damaged of the table is made again, and must come to the same hash.
        with suppress(HemorrhageError):
            return read_plan(folder)
    table = build_plan_table(data_set, options, max_missing, console)
    plan_hash = hash_plan(table, key)
    if saved_hash is None:
        write_json(path, key | {"plan_hash": plan_hash})
    elif saved_hash != plan_hash:
        raise HemorrhageError(
            f"{folder / PLAN_TABLE}: missing or damaged, and the data are no longer those it was made of. "
            "Name another --out."
        )
    write_table(folder / PLAN_TABLE, table)
    return read_plan(folder)


def read_plan(folder: Path) -> Plan:
    """Returns the plan of the store in `folder`; raises HemorrhageError where there is none or it is damaged."""
    key, path = _read_key(folder / STORE_PLAN), folder / PLAN_TABLE
    plan_hash = key.pop("plan_hash")
    try:
        table = read_table(path)
        is_same = hash_plan(table, key) == plan_hash
    except (HemorrhageError, KeyError) as error:
        raise HemorrhageError(f"{path}: damaged or missing. {PREPARE_AGAIN}") from error
    if not is_same:
        raise HemorrhageError(f"{path}: not the one that {STORE_PLAN} names. {PREPARE_AGAIN}")
    return Plan(table, StoreOptions(**key["options"]), plan_hash)


def read_plan_hash(folder: Path) -> str:
    """Returns the hash of the plan that the store in `folder` was begun with; errors as in read_plan."""
    return _read_key(folder / STORE_PLAN)["plan_hash"]


def require_place(folder: Path) -> None:
    """Raises HemorrhageError where a store cannot be put into `folder`: it is a file, or holds something else."""
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise HemorrhageError(f"{str(folder)!a}: expected a folder's name in UTF-8. Name another folder.") from error
    try:
        names = [one.name for one in folder.iterdir()] if folder.exists() else []
    except OSError as error:
        raise HemorrhageError(
            f"{folder}: expected a new folder or a store begun before ({describe_os_error(error)}). "
            "Name another folder."
        ) from error
    if STORE_PLAN not in names and any(not name.startswith(".") for name in names):
        raise HemorrhageError(f"{folder}: expected a new or empty folder or a store begun before. Name another folder.")


def build_plan_table(data_set: DataSet, options: StoreOptions, max_missing: float, console: Console) -> pd.DataFrame:
    """Returns the slices of a data set in the order of the store: whole series by id, train before test.

    Raises HemorrhageError where more than the share `max_missing` of either part has no file or cannot be read, or
    where nothing is left.
    """
    parts = []
    train = list_train(data_set, max_missing, console)
    if train is not None and data_set.train_folder is not None:
        chosen = train if options.patients is None else choose_patients(train, options.patients)
        parts.append(_order(chosen.assign(part="train"), data_set.train_folder))
    elif options.patients is not None:
        raise HemorrhageError(
            f"--patients {options.patients} draws training patients, and there are none in this input."
        )
    test = list_test(data_set, max_missing, console) if options.patients is None else None
    if test is not None and data_set.test_folder is not None:
        parts.append(_order(test.assign(part="test", sample_place=np.arange(len(test))), data_set.test_folder))
    if not parts:
        raise HemorrhageError("Expected training or test slices to prepare, found neither.")
    table = pd.concat([part.reindex(columns=_columns()).astype(_TYPES) for part in parts], ignore_index=True)
    return table.assign(shard=assign_shards(table))


def assign_shards(table: pd.DataFrame) -> np.ndarray:
    """Returns the shard of each row; one begins with the series after SHARD_SLICES slices, and with the test part."""
    # Slices without a series, missing ones for most, are a series each: they may be all there are.
    series = table["series_id"].where(table["series_id"].notna(), table["image_id"]).to_numpy()
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
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=16)
    for name in [*_columns(), "shard"]:
        digest.update(f"|{name}|".encode() + _column_bytes(table[name], is_text=_TYPES.get(name) == "object"))
    return digest.hexdigest()


def _column_bytes(column: pd.Series, is_text: bool) -> bytes:
    # Text may be of several types in a table that was read and in one that was built; every number fits a float.
    if is_text:
        return json.dumps(column.astype("object").where(column.notna(), None).to_list()).encode()
    return column.astype("Float64").to_numpy(dtype="<f8", na_value=np.nan).tobytes()


def _columns() -> list[str]:
    return ["image_id", "part", "sample_place", *LABELS, *_HEADER_COLUMNS, "file", "file_bytes", "error"]


# Header facts that later steps use; ids and paths of this machine stay out of the store.
_HEADER_COLUMNS = ["patient_id", "study_id", "series_id", "z_mm", "rows", "columns", "bits_stored"]
_HEADER_COLUMNS += ["pixel_representation", "rescale_intercept", "is_wrapped"]
_TYPES: dict[str, Any] = {"sample_place": "Int64"} | dict.fromkeys(LABELS, "Int8") | {"z_mm": "float64"}
_TYPES |= {"rows": "Int32", "columns": "Int32", "bits_stored": "Int32", "pixel_representation": "Int32"}
_TYPES |= {"rescale_intercept": "float64", "is_wrapped": "boolean", "file_bytes": "Int64"}
# A scan read from its cache has another type for text than a new one, and the plan must be the same bytes.
_TYPES |= dict.fromkeys(["image_id", "part", "patient_id", "study_id", "series_id", "file", "error"], "object")


def _order(slices: pd.DataFrame, root: Path) -> pd.DataFrame:
    files = [Path(path).relative_to(root).as_posix() if isinstance(path, str) else None for path in slices["path"]]
    sizes = [Path(path).stat().st_size if isinstance(path, str) else None for path in slices["path"]]
    slices = slices.assign(
        file=pd.Series(files, index=slices.index, dtype="object"),
        file_bytes=pd.Series(sizes, index=slices.index, dtype="Int64"),
    )
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


def _read_hash_of_same(path: Path, key: dict[str, Any]) -> str:
    """Returns the hash of the plan that was begun with `key`; raises HemorrhageError where it was with another."""
    saved = _read_key(path)
    differing = [name for name in key if saved[name] != key[name]]
    if differing:
        raise HemorrhageError(
            f"{path}: this store was begun from other data or with other options ({', '.join(differing)} differ). "
            "Use the same words as then, or name another --out."
        )
    return saved["plan_hash"]


def _read_key(path: Path) -> dict[str, Any]:
    """Returns what store-plan.json holds: the key of _describe and the plan's hash."""
    values = read_object(path, _ANEW)
    require_versions(path, values)
    try:
        StoreOptions(**values["options"])
    except (TypeError, KeyError, HemorrhageError) as error:
        raise HemorrhageError(f"{path}: not the plan of a store; it was changed or damaged. {_ANEW}") from error
    if values.keys() != {"store_version", "codec_version", "options", "train_csv", "sample_csv", "plan_hash"}:
        raise HemorrhageError(f"{path}: not the plan of a store; it was changed or damaged. {_ANEW}")
    return values


_ANEW = "Copy it from another part of the same store, or prepare into a new folder."
