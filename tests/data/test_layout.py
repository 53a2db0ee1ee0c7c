import os
from pathlib import Path

import pytest

from hemorrhage.data.layout import find_any_data_set, find_data_set, index_slice_files, list_slice_files
from hemorrhage.errors import HemorrhageError

SLUG = "rsna-intracranial-hemorrhage-detection"


def make_layout(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("stage_2_train.csv", "stage_2_sample_submission.csv"):
        (folder / name).write_text("ID,Label\n")
    for name in ("stage_2_train", "stage_2_test"):
        (folder / name).mkdir()
        (folder / name / "ID_000000001.dcm").touch()
    return folder


@pytest.mark.parametrize(
    "where", [".", SLUG, f"{SLUG}/{SLUG}", f"competitions/{SLUG}", f"datasets/someone/{SLUG}/{SLUG}"]
)
def test_the_data_set_is_found_wherever_it_lies(tmp_path: Path, where: str) -> None:
    folder = make_layout(tmp_path / "input" / where)
    data_set = find_data_set(tmp_path / "input")
    assert data_set.train_csv == folder / "stage_2_train.csv"
    assert data_set.sample_csv == folder / "stage_2_sample_submission.csv"
    assert data_set.train_folder == folder / "stage_2_train"
    assert data_set.test_folder == folder / "stage_2_test"


def test_slice_folders_may_lie_apart_from_the_csv(tmp_path: Path) -> None:
    folder = make_layout(tmp_path / "images")
    (tmp_path / "tables").mkdir()
    (folder / "stage_2_train.csv").rename(tmp_path / "tables" / "stage_2_train.csv")
    assert find_data_set(tmp_path).train_folder == folder / "stage_2_train"


def test_slices_unpacked_a_folder_deeper_are_found(tmp_path: Path) -> None:
    deeper = tmp_path / "stage_2_train" / "stage_2_train"
    deeper.mkdir(parents=True)
    (deeper / "ID_000000002.dcm").touch()
    assert index_slice_files(tmp_path / "stage_2_train") == {"ID_000000002": deeper / "ID_000000002.dcm"}


def test_two_data_sets_are_an_error_that_lists_both(tmp_path: Path) -> None:
    first, second = make_layout(tmp_path / "a"), make_layout(tmp_path / "b")
    with pytest.raises(HemorrhageError) as error:
        find_data_set(tmp_path)
    assert str(first / "stage_2_train.csv") in str(error.value)
    assert str(second / "stage_2_train.csv") in str(error.value)


def test_a_link_to_the_same_data_set_is_no_second_one(tmp_path: Path) -> None:
    make_layout(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert find_data_set(tmp_path).train_csv is not None


def test_no_data_set_and_no_folder_say_what_to_do(tmp_path: Path) -> None:
    assert find_any_data_set(tmp_path) is None
    with pytest.raises(HemorrhageError, match="hemorrhage phantom"):
        find_data_set(tmp_path)
    with pytest.raises(HemorrhageError, match="expected a folder"):
        find_data_set(tmp_path / "missing")


def test_a_test_part_alone_is_a_data_set_to_predict(tmp_path: Path) -> None:
    folder = make_layout(tmp_path / "a")
    (folder / "stage_2_train.csv").unlink()
    data_set = find_any_data_set(tmp_path)
    assert data_set is not None
    assert data_set.train_csv is None
    assert data_set.test_folder == folder / "stage_2_test"


def test_equal_image_ids_are_refused_with_both_paths(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ID_1.dcm").touch()
    with pytest.raises(HemorrhageError, match=r"a/ID_1.dcm and .*b/ID_1.dcm"):
        index_slice_files(tmp_path)


def test_hidden_and_foreign_files_are_no_slices(tmp_path: Path) -> None:
    for name in ("._ID_1.dcm", "ID_1.dcm", "ID_2.DCM", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_slice_files(tmp_path)] == ["ID_1.dcm", "ID_2.DCM"]
    assert [path.name for path in list_slice_files(tmp_path, any_name=True)] == ["ID_1.dcm", "ID_2.DCM", "notes.txt"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        # The tests may run as root, who may do all.
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(HemorrhageError, match=r"locked: the folder could not be read \(Permission denied\)"):
        list_slice_files(tmp_path)
