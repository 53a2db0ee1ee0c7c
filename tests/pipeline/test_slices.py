from pathlib import Path

import pandas as pd

from hemorrhage.data.layout import find_any_data_set
from hemorrhage.pipeline.console import SILENT, Console
from hemorrhage.pipeline.slices import NO_FILE, list_test_slices, scan_folder


def test_an_empty_test_folder_leaves_every_slice_of_the_sample_without_a_file(data_folder: Path) -> None:
    files = sorted((data_folder / "stage_2_test").iterdir())
    for path in files:
        path.unlink()
    data_set = find_any_data_set(data_folder)
    assert data_set is not None
    slices = list_test_slices(data_set, SILENT)
    assert slices["image_id"].tolist() == [path.stem for path in files]
    assert (slices["error"] == NO_FILE).all()


def test_a_scan_that_cannot_be_kept_is_made_all_the_same(data_folder: Path) -> None:
    kept = scan_folder(data_folder / "stage_2_test", SILENT)
    Path("submissions").rename("moved")
    Path("submissions").write_text("a file where the folder should be")
    said: list[str] = []
    console = Console(say=said.append, warn=said.append, bar=SILENT.bar)
    pd.testing.assert_frame_equal(scan_folder(data_folder / "stage_2_test", console), kept)
    scan_folder(data_folder / "stage_2_train", console)
    assert "header scans are not kept" in said[0]
    assert said[0] == said[1]
