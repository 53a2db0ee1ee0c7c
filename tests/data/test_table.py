import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hemorrhage.data import table as table_module
from hemorrhage.data.table import read_or_scan_slices, read_table, scan_slices, write_table
from hemorrhage.errors import HemorrhageError

MakeDicom = Callable[..., Path]


def test_a_scan_has_a_row_a_file_with_facts_or_the_cause(make_dicom: MakeDicom, tmp_path: Path) -> None:
    good = make_dicom(np.zeros((4, 6)), "ID_1.dcm")
    wrapped = make_dicom(
        np.zeros((2, 2)), "ID_2.dcm", bits_stored=12, pixel_representation=0, rescale_intercept=1.0, patient_id=None
    )
    (tmp_path / "ID_3.dcm").write_text("not DICOM")
    table = scan_slices([good, wrapped, tmp_path / "ID_3.dcm"]).set_index("image_id")
    assert table.loc["ID_1", ["patient_id", "series_id", "z_mm"]].tolist() == ["ID_aaaaaaaa", "ID_cccccccccc", 77.25]
    assert table["is_wrapped"].tolist()[:2] == [False, True]
    assert table["error"].isna().tolist() == [True, True, False]
    assert "not a DICOM file" in table.loc["ID_3", "error"]
    assert table["patient_id"].isna().tolist() == [False, True, True]


def test_equal_pixels_have_equal_hashes_whatever_their_header(make_dicom: MakeDicom) -> None:
    hu = np.array([[10, 20], [30, 40]])
    paths = [
        make_dicom(hu + 1024, "ID_1.dcm"),
        make_dicom(hu + 1000, "ID_2.dcm", pixel_representation=0, rescale_intercept=-1000.0),
        make_dicom(hu.reshape(1, 4) + 1024, "ID_3.dcm"),
        make_dicom(np.full((2, 2), 7), "ID_4.dcm"),
    ]
    table = scan_slices(paths, with_pixels=True)
    assert table["pixel_hash"][0] == table["pixel_hash"][1]
    assert table["pixel_hash"].nunique() == 3
    assert table["is_constant"].tolist() == [False, False, False, True]


def test_a_pool_of_processes_gives_the_same_table(make_dicom: MakeDicom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_POOL_FROM", 1)
    paths = [make_dicom(np.full((2, 2), number), f"ID_{number}.dcm") for number in range(5)]
    paths[3].write_text("not DICOM")
    alone, pooled = scan_slices(paths, with_pixels=True), scan_slices(paths, with_pixels=True, workers=2)
    assert alone.equals(pooled)


def test_a_scan_is_read_from_the_cache_until_a_file_changes(make_dicom: MakeDicom, tmp_path: Path) -> None:
    path = make_dicom(np.zeros((2, 2)))
    scans: list[int] = []

    def progress(rows: object, total: int) -> object:
        scans.append(total)
        return rows

    cache = tmp_path / "cache"
    first = read_or_scan_slices([path], cache, progress=progress)  # type: ignore[arg-type]
    second = read_or_scan_slices([path], cache, progress=progress)  # type: ignore[arg-type]
    assert scans == [1]
    assert second["patient_id"].tolist() == first["patient_id"].tolist()
    os.utime(path, ns=(0, 0))
    read_or_scan_slices([path], cache, progress=progress)  # type: ignore[arg-type]
    assert scans == [1, 1]


def test_tables_survive_parquet_and_damage_is_named(make_dicom: MakeDicom, tmp_path: Path) -> None:
    table = scan_slices([make_dicom(np.zeros((2, 2)))])
    write_table(tmp_path / "t.parquet", table)
    assert read_table(tmp_path / "t.parquet")["image_id"].tolist() == ["ID_000000001"]
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(HemorrhageError, match=r"t\.parquet"):
        read_table(tmp_path / "t.parquet")


def test_a_flipped_byte_in_a_table_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, scan_slices([]))
    whole, refused = path.read_bytes(), 0
    for offset in range(len(whole) - 3000, len(whole), 37):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :])
        try:
            read_table(path)
        except HemorrhageError:
            refused += 1
    assert refused > 20
