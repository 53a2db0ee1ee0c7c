"""`make test-kernels`, first half: kernels that need no other, the banner in the older layout, and every bad input.

In an environment like Kaggle's image, with the wheels of 'python -m hemorrhage.kaggle dataset' alone and no network.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hemorrhage.data.labels import LABELS
from hemorrhage.kaggle.manifest import MANIFEST
from tests.kernels.chain import Link, Workshop, open_workshop, run_alone
from tests.kernels.layout import Kaggle, lay_out
from tests.kernels.notebooks import (
    KERNELS,
    code_cells,
    mask,
    path_of,
    read_notebook,
    texts_of,
)
from tests.kernels.running import PARAMETERS, Disk, Execution, can_mount, cell_text, run_kernel, shut_off


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return open_workshop(tmp_path_factory.mktemp("kaggle"))


@pytest.fixture(scope="module")
def alone(shop: Workshop) -> dict[str, Link]:
    return run_alone(shop)


def compare_with_kept(kernel: str, execution: Execution) -> None:
    """Fails where the texts of a run, numbers masked, are not those kept in the repository."""
    for kept, ran in zip(code_cells(read_notebook(path_of(kernel))), code_cells(execution.notebook), strict=True):
        assert mask("\n".join(texts_of(ran))) == mask("\n".join(texts_of(kept))), f"{ran['id']}: run make kernels"


@pytest.mark.parametrize("kernel", ["explore", "quickstart"])
def test_a_kernel_runs_to_its_end_and_shows_what_is_kept(alone: dict[str, Link], kernel: str) -> None:
    compare_with_kept(kernel, alone[kernel].execution)


def test_explore_writes_its_pictures(alone: dict[str, Link]) -> None:
    names = {path.name for path in (alone["explore"].kaggle.working / "explore").iterdir()}
    assert names == {"labels.png", "headers.png", "repair.png", "windows.png", "series.png"}


def test_quickstart_ends_with_a_submission(alone: dict[str, Link]) -> None:
    require_submission(alone["quickstart"].kaggle)


def require_submission(kaggle: Kaggle) -> None:
    """Fails unless submission.csv has the rows of the sample submission."""
    (sample,) = (path for path in (kaggle.root / "input").rglob("stage_2_sample_submission.csv"))
    wanted, written = (
        [line.split(",")[0] for line in path.read_text().split()] for path in (sample, submission_of(kaggle))
    )
    assert sorted(written) == sorted(wanted) and len(written) % len(LABELS) == 1


def submission_of(kaggle: Kaggle) -> Path:
    """Returns where Kaggle looks for a submission."""
    return kaggle.working / "submission.csv"


@pytest.mark.parametrize("kernel", ["explore", "prepare", "quickstart"])
def test_the_banner_finds_everything_in_the_older_layout(shop: Workshop, kernel: str) -> None:
    kaggle = shop.mount(f"older-{kernel}", is_new=False)
    execution = run_kernel(kernel, kaggle, shop.image, until="banner")
    assert execution.is_whole, execution.error["traceback"]
    text = cell_text(execution, "banner")
    assert "/kaggle/input/rsna-intracranial-hemorrhage-detection/rsna-intracranial-hemorrhage-detection" in text
    assert "layout input/<slug>" in text and "hours" in text


# What is wrong, the kernel that meets it, the cell that says so, and words of the line.
FAULTS = {
    "no data": ("explore", "banner", "expected stage_2_train.csv below it, found none. Attach the competition's data"),
    "no wheels": (
        "explore",
        "bootstrap",
        "expected one hemorrhage_manifest.json below it, found 0. Attach the dataset",
    ),
    "damaged wheel": ("explore", "bootstrap", "missing or damaged. Build the dataset again"),
    "other python": ("explore", "bootstrap", "expected Python 3.99, this image has"),
    "older image": ("explore", "bootstrap", "Expected a newer Kaggle image: tensorflow 99.0 or later, received"),
    "no gpu": ("train", "banner", "Expected a GPU, found none. Choose the accelerator GPU T4 x2"),
    "no run": ("infer", "banner", "expected the output of the kernel train below it, found none"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_before_any_work(shop: Workshop, fault: str) -> None:
    kernel, cell_id, words = FAULTS[fault]
    kaggle = _mount_with(shop, fault)
    execution = run_kernel(kernel, kaggle, shop.image, _parameters(kernel, fault))
    assert not execution.is_whole
    require_one_line(execution, cell_id, words)
    assert not any(kaggle.working.iterdir())


def require_one_line(execution: Execution, cell_id: str, words: str) -> None:
    """Fails unless the cell stopped the kernel with one line, which has the words."""
    (failed,) = (c for c in code_cells(execution.notebook) if any(o["output_type"] == "error" for o in c["outputs"]))
    assert failed["id"] == cell_id
    (line,) = execution.error["traceback"]
    assert line.startswith("Stopped: ") and words in line and "\n" not in line and len(line) < 500


def _parameters(kernel: str, fault: str) -> Mapping[str, Any]:
    return {**PARAMETERS[kernel], "ALLOW_CPU": False} if fault == "no gpu" else PARAMETERS[kernel]


def _mount_with(shop: Workshop, fault: str) -> Kaggle:
    kaggle = lay_out(shop.folder / fault.replace(" ", "-"))
    if fault != "no data":
        kaggle.mount_competition(shop.phantom)
    if fault == "no wheels":
        return kaggle
    dataset = kaggle.mount_dataset(shop.dataset)
    if fault == "damaged wheel":
        wheel = next(dataset.glob("imgaug-*.whl"))
        wheel.write_bytes(wheel.read_bytes()[:-1])
    changes = {"other python": {"pythons": ["3.99"]}, "older image": {"image": {"tensorflow": "99.0"}}}
    described = json.loads((dataset / MANIFEST).read_text()) | changes.get(fault, {})
    (dataset / MANIFEST).write_text(json.dumps(described))
    return kaggle


needs_mount = pytest.mark.skipif(not can_mount(), reason="this machine allows no mount namespace (unshare --mount)")


@needs_mount
def test_a_disk_too_small_is_one_line_before_any_work(shop: Workshop) -> None:
    kaggle = shop.mount("small-disk")
    execution = run_kernel("prepare", kaggle, shop.image, disk=Disk(megabytes=2))
    require_one_line(execution, "banner", "expected room for the store, some 4.")


@needs_mount
def test_a_disk_that_fills_up_in_the_middle_is_one_line(shop: Workshop) -> None:
    kaggle = shop.mount("full-disk")
    execution = run_kernel("prepare", kaggle, shop.image, disk=Disk(megabytes=50, fills_at="store-128"))
    require_one_line(execution, "prepare", "No space left on device")


def test_the_network_was_shut_off_where_the_machine_allows_it(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        words = shut_off()
        print(f"\nnetwork: {' '.join(words) if words else 'an unroutable index; this machine allows no unshare'}")


def test_all_kernels_are_run_by_one_half_or_the_other(alone: dict[str, Link]) -> None:
    assert set(KERNELS) - set(alone) == {"prepare", "train", "infer"}
