"""Each check stops a kernel in one line that says what was expected, what is there, and what to do."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import hemorrhage
from hemorrhage.commit import find_commit
from hemorrhage.data.layout import find_data_set
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.kaggle import checks, image
from hemorrhage.kaggle.clock import KEPT_BACK_HOURS, Clock, start_clock
from hemorrhage.kaggle.manifest import MANIFEST, Manifest, describe_file, write_manifest
from hemorrhage.kaggle.mounts import Mounts, find_mounts
from hemorrhage.kaggle.previous import find_previous, list_runs, require_folds, require_same_config, warn_of_commit
from hemorrhage.kaggle.stops import Stop, stopping
from hemorrhage.models import devices
from hemorrhage.pipeline.config import config_to_json, resolve_config
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.runs import Run
from tests.kernels.test_mounts import make_mounts, make_run


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    make_mounts(tmp_path, is_new=True)
    (tmp_path / "working").mkdir()
    wheels = tmp_path / "input" / "datasets" / "me" / "hemorrhage-wheels"
    (wheels / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    write_manifest(wheels / MANIFEST, make_manifest(wheels))
    return find_mounts(tmp_path)


def make_manifest(folder: Path, **changes: object) -> Manifest:
    files = (describe_file(folder / "a-1-py3-none-any.whl", "wheel"),)
    whole = Manifest("hemorrhage", hemorrhage.__version__, find_commit(), ("3.12",), {"numpy": "2.0"}, files, ("a",))
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_whole_dataset_of_wheels_passes(mounts: Mounts) -> None:
    assert checks.check_wheels(mounts).version == hemorrhage.__version__


def test_a_dataset_of_another_version_is_refused(mounts: Mounts) -> None:
    write_manifest(mounts.wheels[0] / MANIFEST, make_manifest(mounts.wheels[0], version="9.9"))
    with pytest.raises(HemorrhageError, match=r"which is installed, received that of 9\.9 .* Start the kernel anew"):
        checks.check_wheels(mounts)


def test_a_dataset_of_another_commit_is_refused(mounts: Mounts) -> None:
    write_manifest(mounts.wheels[0] / MANIFEST, make_manifest(mounts.wheels[0], commit="f" * 40))
    with pytest.raises(HemorrhageError, match=r"received that of \S+ of commit f{12}\. Start the kernel anew"):
        checks.check_wheels(mounts)


def test_a_damaged_wheel_is_refused(mounts: Mounts) -> None:
    (mounts.wheels[0] / "a-1-py3-none-any.whl").write_bytes(b"other")
    with pytest.raises(HemorrhageError, match="of another content"):
        checks.check_wheels(mounts)


def test_missing_and_several_attachments_are_named(mounts: Mounts) -> None:
    none = replace(mounts, data_sets=(), wheels=(), stores=())
    with pytest.raises(HemorrhageError, match=r"found none\. Attach the competition's data"):
        checks.check_data(none)
    with pytest.raises(HemorrhageError, match=r"found none\. Attach the dataset hemorrhage-wheels"):
        checks.check_wheels(none)
    assert checks.find_store(none) is None
    both = replace(mounts, stores=(Path("a"), Path("b")))
    with pytest.raises(HemorrhageError, match=r"Expected one store, found a, b\. Detach all but one"):
        checks.find_store(both)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("99", "numpy 99 or later, received"), ("2.0", None), ("0", None)],
)
def test_the_image_is_held_against_the_manifest(mounts: Mounts, wanted: str, words: str | None) -> None:
    manifest = make_manifest(mounts.wheels[0], image={"numpy": wanted})
    if words is None:
        image.check_image(manifest)
        return
    with pytest.raises(HemorrhageError, match=words):
        image.check_image(manifest)


def test_a_package_that_the_image_lacks_is_named(mounts: Mounts) -> None:
    with pytest.raises(HemorrhageError, match="no-such-thing 0 or later, none is installed"):
        image.check_image(make_manifest(mounts.wheels[0], image={"no-such-thing": "0"}))


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.20.0", (2, 20, 0)), ("3.0.1rc1", (3, 0, 1)), ("4.13.0.92", (4, 13, 0, 92)), ("0", (0,))]
)
def test_versions_are_compared_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert image.parse_version(text) == numbers
    assert image.parse_version("2.9") < image.parse_version("2.20")


def test_a_gpu_is_asked_for_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "count_gpus", lambda: 0)
    assert checks.check_gpu(is_needed=False) == 0
    with pytest.raises(HemorrhageError, match=r"Expected a GPU, found none\. .* ALLOW_CPU = True"):
        checks.check_gpu(is_needed=True)


def test_a_small_disk_is_refused_before_the_work(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(mounts.working)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    checks.check_space(mounts, 10**9, "the store")
    with pytest.raises(HemorrhageError, match=r"room for the store, some 2\.0 GB, but 1\.0 GB are free\. Delete"):
        checks.check_space(mounts, 2 * 10**9, "the store")


def test_more_than_kaggle_keeps_is_refused_whatever_is_free(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(mounts.working)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**12))
    with pytest.raises(HemorrhageError, match=r"some 21\.0 GB, but 20\.0 GB are left of what Kaggle keeps"):
        checks.check_space(mounts, 21 * 10**9, "the store")


def test_the_kernel_has_to_work_where_kaggle_keeps_files(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mounts.working)
    checks.check_place(mounts)
    monkeypatch.chdir(mounts.root)
    with pytest.raises(HemorrhageError, match="whose files Kaggle keeps; it works in"):
        checks.check_place(mounts)


def test_hours_are_what_the_limit_leaves_or_less() -> None:
    clock = Clock(time.monotonic() - 3600, limit_hours=12)
    assert checks.check_hours(clock, None) == pytest.approx(11 - KEPT_BACK_HOURS, abs=0.01)
    assert checks.check_hours(clock, 0.3) == 0.3
    with pytest.raises(HemorrhageError, match=r"1\.00 of 1\.2 are gone and 0\.5 are kept back"):
        checks.check_hours(replace(clock, limit_hours=1.2), None)


def test_the_clock_began_with_the_process() -> None:
    clock = start_clock(12)
    assert 0 < clock.hours_used < 24
    assert clock.hours_left == pytest.approx(12 - clock.hours_used, abs=0.01)


def test_a_previous_run_is_found_by_name_and_of_this_version(mounts: Mounts) -> None:
    found = find_previous(mounts, "first")
    assert found is not None and found.folder == mounts.runs[0]
    assert find_previous(mounts, "other") is None


def test_a_previous_run_of_another_version_is_refused(tmp_path: Path, mounts: Mounts) -> None:
    old = make_run(tmp_path / "input" / "notebooks" / "me" / "old" / "submissions" / "second", version="0.0.1")
    with pytest.raises(HemorrhageError, match=rf"made by hemorrhage 0\.0\.1, this kernel has {hemorrhage.__version__}"):
        find_previous(replace(mounts, runs=(old,)), "second")


def test_two_previous_runs_of_one_name_are_refused(mounts: Mounts) -> None:
    with pytest.raises(HemorrhageError, match="Expected one earlier run named first, found"):
        find_previous(replace(mounts, runs=(mounts.runs[0], mounts.root / "first")), "first")


def test_a_previous_run_of_another_commit_is_warned_of(mounts: Mounts) -> None:
    run, said = Run(mounts.runs[0]), list[str]()
    console = replace(SILENT, warn=said.append)
    write_json(run.environment_path, {"hemorrhage": hemorrhage.__version__, "commit": find_commit()})
    warn_of_commit(run, console)
    assert said == []
    write_json(run.environment_path, {"hemorrhage": hemorrhage.__version__, "commit": "f" * 40})
    warn_of_commit(run, console)
    assert f"begun by hemorrhage {hemorrhage.__version__} of commit {'f' * 12}, this kernel has commit" in said[0]


def test_a_submission_wants_test_slices(mounts: Mounts) -> None:
    data = find_data_set(mounts.data_sets[0])
    checks.check_test(data, None)
    with pytest.raises(HemorrhageError, match=r"expected stage_2_sample_submission\.csv in it, found none"):
        checks.check_test(replace(data, sample_csv=None), None)
    with pytest.raises(HemorrhageError, match="expected stage_2_test in it, found none"):
        checks.check_test(replace(data, test_folder=None), None)
    assert data.sample_csv is not None
    data.sample_csv.write_text("ID,Label\n")
    with pytest.raises(HemorrhageError, match="stage_2_sample_submission"):
        checks.check_test(data, None)


def test_runs_to_predict_with_are_asked_for(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mounts.working)
    with pytest.raises(HemorrhageError, match="expected the output of the kernel train below it, found none"):
        list_runs(replace(mounts, runs=()), [])
    with pytest.raises(HemorrhageError, match="expected a run second below it; there are: first"):
        list_runs(mounts, ["second"])
    assert [run.folder.name for run in list_runs(mounts, [])] == ["first"]


def test_other_settings_and_other_folds_are_no_way_to_go_on(mounts: Mounts) -> None:
    run, config = Run(mounts.runs[0]), resolve_config("default", {"model": "compact"})
    write_json(run.config_path, config_to_json(config))
    require_same_config(run, replace(config, workers=2))
    with pytest.raises(HemorrhageError, match=r"folds was 5 and is 4\. Set the cell of parameters as it was"):
        require_same_config(run, replace(config, folds=4))
    known = pd.DataFrame({"image_id": ["ID_1"], "fold": [0]})
    require_folds(run, known)
    with pytest.raises(HemorrhageError, match="other folds: 1 slices have moved"):
        require_folds(run, known.assign(fold=1))
    with pytest.raises(HemorrhageError, match="1 slices, the data attached now give 2"):
        require_folds(run, pd.concat([known, known.assign(image_id="ID_2")]))


@pytest.mark.parametrize(
    "error",
    [HemorrhageError("a fault\n  in two lines"), OSError(28, "No space left on device", "store-256"), MemoryError()],
)
def test_a_stop_is_one_line_in_a_notebook(error: Exception) -> None:
    with pytest.raises(Stop) as caught, stopping():
        raise error
    (line,) = caught.value._render_traceback_()
    assert line.startswith("Stopped: ") and "\n" not in line


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(KeyError), stopping():
        raise KeyError("not the user's fault")
