"""`make test-kernels`, second half: prepare, train twice and infer, with the outputs of those before attached."""

import json
import shutil
from pathlib import Path

import pytest

from hemorrhage.data.store import open_store
from hemorrhage.kaggle.manifest import MANIFEST, read_manifest
from tests.kernels.chain import Link, Workshop, open_workshop, run_chain
from tests.kernels.check_kernels import compare_with_kept, require_one_line, require_submission
from tests.kernels.running import PARAMETERS, cell_text, run_kernel

RUN = Path("submissions") / "compact"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return open_workshop(tmp_path_factory.mktemp("kaggle"))


@pytest.fixture(scope="module")
def chain(shop: Workshop) -> dict[str, Link]:
    return run_chain(shop)


@pytest.mark.parametrize("kernel", ["prepare", "train", "infer"])
def test_a_kernel_runs_to_its_end_and_shows_what_is_kept(chain: dict[str, Link], kernel: str) -> None:
    compare_with_kept(kernel, chain[kernel].execution)


def test_prepare_leaves_a_whole_store(shop: Workshop, chain: dict[str, Link]) -> None:
    made = json.loads((shop.phantom / "phantom.json").read_text())
    slices = open_store(chain["prepare"].kaggle.working / "store-128").manifest.slices
    assert slices == {"train": made["train_slices"], "test": made["test_slices"]}


def test_train_stops_by_its_clock_and_says_how_to_go_on(chain: dict[str, Link]) -> None:
    first = chain["train stopped"]
    assert "stopped in good order, at epoch 1, step 8" in cell_text(first.execution, "train")
    assert "attach this kernel's own output" in cell_text(first.execution, "end")
    assert "layout input/<slug>" in cell_text(first.execution, "banner")
    assert list((first.kaggle.working / RUN / "fold-0" / "checkpoint").glob("epoch-001-step-*8.keras"))


def test_the_next_kernel_goes_on_from_the_checkpoint(shop: Workshop, chain: dict[str, Link]) -> None:
    first, second = chain["train stopped"], chain["train"]
    text = cell_text(second.execution, "banner")
    assert (
        "goes on from /kaggle/input/notebooks/someone/hemorrhage-train/submissions/compact (fold-0: 0 epochs and 8"
        in text
    )
    began = [json.loads((one.kaggle.working / RUN / "environment.json").read_text()) for one in (first, second)]
    assert began[0] == began[1]
    assert began[0]["commit"] == read_manifest(shop.dataset / MANIFEST).commit
    folders = [second.kaggle.working / RUN / f"fold-{fold}" for fold in range(2)]
    assert all((folder / "models" / "epoch-004.keras").is_file() for folder in folders)
    assert (second.kaggle.working / RUN / "out_of_fold.parquet").is_file()


def test_infer_ends_with_a_submission_of_the_blend(chain: dict[str, Link]) -> None:
    kaggle = chain["infer"].kaggle
    require_submission(kaggle)
    runs = {path.name for path in (kaggle.working / "submissions").iterdir() if not path.name.startswith(".")}
    assert runs == {"compact", "compact-series", "blend"}


def test_infer_finds_everything_in_the_older_layout(shop: Workshop, chain: dict[str, Link]) -> None:
    outputs = {name: chain[name].kaggle.working for name in ("prepare", "train")}
    kaggle = shop.mount("older-infer", outputs, is_new=False)
    execution = run_kernel("infer", kaggle, shop.image, until="banner")
    assert execution.is_whole, execution.error["traceback"]
    assert "/kaggle/input/hemorrhage-train/submissions/compact, by 'train': compact, 8 of 8" in cell_text(
        execution, "banner"
    )


def test_a_run_of_another_version_is_no_previous_run(shop: Workshop, chain: dict[str, Link]) -> None:
    output = shop.folder / "other-version"
    shutil.copytree(chain["train stopped"].kaggle.working, output)
    described = json.loads((output / RUN / "environment.json").read_text()) | {"hemorrhage": "0.0.9"}
    (output / RUN / "environment.json").write_text(json.dumps(described))
    outputs = {"prepare": chain["prepare"].kaggle.working, "train": output}
    kaggle = shop.mount("version", outputs)
    execution = run_kernel("train", kaggle, shop.image)
    require_one_line(execution, "banner", "this run was made by hemorrhage 0.0.9, this kernel has")
    assert not (kaggle.working / RUN).exists()


def test_other_settings_are_no_way_to_go_on(shop: Workshop, chain: dict[str, Link]) -> None:
    outputs = {"prepare": chain["prepare"].kaggle.working, "train": chain["train stopped"].kaggle.working}
    kaggle = shop.mount("settings", outputs)
    settings = {**PARAMETERS["train"]["SETTINGS"], "folds": 3}
    execution = run_kernel("train", kaggle, shop.image, {**PARAMETERS["train"], "SETTINGS": settings})
    require_one_line(execution, "banner", "a run goes on with the config it began with; folds was 2 and is 3")
