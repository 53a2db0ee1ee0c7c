"""The dataset is flat, complete and the same twice; its manifest says what is in it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.kaggle import dataset, wheels
from hemorrhage.kaggle.__main__ import main
from hemorrhage.kaggle.dataset import build_dataset, format_dataset, plan_dataset
from hemorrhage.kaggle.manifest import MANIFEST, check_files, describe_file, read_manifest
from hemorrhage.kaggle.wheels import (
    CARRIED,
    ON_IMAGE,
    PYTHONS,
    build_wheel,
    canonical,
    find_image_needs,
    name_of,
    pin_carried,
    python_of,
    read_pins,
)
from hemorrhage.pipeline.runs import Run
from tests.kaggle_room.conftest import make_wheel

ROOT = Path(__file__).parents[2]
PYPI = "HEMORRHAGE_PYPI"


def build(user: str | None = None, *names: str) -> dataset.Manifest:
    weights = [Path(name) for name in names if "." in name]
    runs = [name for name in names if "." not in name]
    return build_dataset(plan_dataset(user, runs, weights, ROOT), Path("build/kaggle-dataset"), lambda text: None)


def test_the_folder_is_flat_and_its_manifest_complete(run: Run, no_pip: None) -> None:
    Path("effb4.h5").write_bytes(b"weights")
    manifest = build("sam", "first", "effb4.h5")
    folder = Path("build/kaggle-dataset")
    names = {path.name for path in folder.iterdir()}
    assert all(path.is_file() for path in folder.iterdir())
    assert names == {one.name for one in manifest.files} | {MANIFEST, "dataset-metadata.json"}
    assert read_manifest(folder / MANIFEST) == manifest
    check_files(folder, manifest)
    assert read_json(folder / "dataset-metadata.json")["id"] == "sam/hemorrhage-wheels"
    assert {one.name: (one.kind, one.python) for one in manifest.files} == {
        "hemorrhage-1.0-py3-none-any.whl": ("wheel", None),
        "imgaug-1.0-py3-none-any.whl": ("wheel", None),
        "numexpr-1.0-cp312-cp312-manylinux2014_x86_64.whl": ("wheel", "3.12"),
        "numexpr-1.0-cp313-cp313-manylinux2014_x86_64.whl": ("wheel", "3.13"),
        "effb4.h5": ("weights", None),
        "first.tar": ("run", None),
    }
    assert manifest.image == {"numpy": "2.0", "shapely": "0"}
    assert manifest.install == ("hemorrhage", *(one.name for one in CARRIED))


def test_the_manifest_has_the_promised_keys(run: Run, no_pip: None) -> None:
    build("sam", "first")
    described = json.loads(Path("build/kaggle-dataset", MANIFEST).read_text())
    keys = ["format", "package", "version", "commit", "pythons", "image", "files", "install"]
    assert list(described) == keys
    assert described["format"] == 1
    assert {tuple(one) for one in described["files"]} == {("name", "bytes", "sha256", "kind", "python")}


def test_a_second_build_takes_the_place_of_the_first_and_is_equal(run: Run, no_pip: None) -> None:
    first = build("sam", "first")
    Path("build/kaggle-dataset/left-over.whl").touch()
    os.utime(run.config_path, (0, 0))
    assert build("sam", "first") == first
    assert not Path("build/kaggle-dataset/left-over.whl").exists()
    assert [path.name for path in Path("build").iterdir()] == ["kaggle-dataset"]


def test_a_build_that_fails_leaves_the_earlier_one(run: Run, no_pip: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build()

    def fail(*arguments: object) -> None:
        raise HemorrhageError("no network")

    monkeypatch.setattr(dataset, "fetch_wheels", fail)
    with pytest.raises(HemorrhageError, match="no network"):
        build()
    assert read_manifest(Path("build/kaggle-dataset", MANIFEST)) == first
    assert [path.name for path in Path("build").iterdir()] == ["kaggle-dataset"]


def test_a_folder_of_something_else_is_not_replaced(workplace: Path, no_pip: None) -> None:
    other = Path("build/kaggle-dataset/thesis.doc")
    other.parent.mkdir(parents=True)
    other.touch()
    with pytest.raises(HemorrhageError, match="it holds something else"):
        build()
    assert other.exists()


def test_the_archive_of_a_run_unpacks_into_the_run(run: Run, no_pip: None, tmp_path: Path) -> None:
    (run.folder / "models").mkdir()
    (run.folder / "models" / "epoch-001.keras").write_bytes(b"model")
    (run.folder / ".half-written").touch()
    build(None, "first")
    with tarfile.open("build/kaggle-dataset/first.tar") as archive:
        archive.extractall(tmp_path / "input" / "first", filter="data")
    unpacked = {str(path.relative_to(tmp_path / "input")) for path in (tmp_path / "input").rglob("*.*")}
    assert "first/models/epoch-001.keras" in unpacked
    assert "first/config.json" in unpacked
    assert not any("half-written" in name for name in unpacked)
    # As Kaggle leaves it: the folder in the archive's stead.
    folder = Path("build/kaggle-dataset")
    (folder / "first.tar").unlink()
    with pytest.raises(HemorrhageError, match=r"first\.tar: expected this run"):
        check_files(folder, read_manifest(folder / MANIFEST))
    (folder / "first").mkdir()
    check_files(folder, read_manifest(folder / MANIFEST))


def test_a_run_made_of_others_wants_them_named(run: Run) -> None:
    write_json(Path("submissions/both/blend.json"), {"runs": ["first", "second"]})
    with pytest.raises(HemorrhageError, match="Name them as well: --run second"):
        plan_dataset(None, ["both", "first"], [], ROOT)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--run", "nope"], "there are: first"),
        (["--run", "@phantom"], "comes with the package"),
        (["--weights", "gone.h5"], "gone.h5: expected a file of weights, .keras or .h5, found no such file"),
        (["--weights", "submissions/first/config.json"], "received .json"),
        (["--weights", "a.h5", "--weights", "other/a.h5"], "received twice: a.h5"),
        (["--user", "USER"], "Expected USER=name"),
    ],
)
def test_what_cannot_go_along_is_one_line(
    run: Run, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other").mkdir()
    for name in ("a.h5", "other/a.h5"):
        Path(name).touch()
    assert main(["dataset", "--dry-run", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_dry_run_writes_nothing_and_shows_what_pip_would_be_asked(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "--user", "sam", "--run", "first", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "imgaug==0.4.0" in shown
    assert "--python-version 3.13" in shown
    assert '"id": "sam/hemorrhage-wheels"' in shown
    assert not Path("build").exists()


def test_the_table_names_every_file_and_what_comes_next(workplace: Path, no_pip: None) -> None:
    text = format_dataset(build(), Path("build/kaggle-dataset"), "USER")
    assert "imgaug-1.0-py3-none-any.whl" in text
    assert "has no owner yet: build again with USER=" in text
    assert text.splitlines()[-1].startswith("next: kaggle datasets create -p build/kaggle-dataset")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 2}, "expected format 1, received 2"),
        ({"files": [{"name": "x"}]}, "expected what 'make kaggle-dataset' writes"),
        ({"files": [dict(name="x", bytes=1, sha256="", kind="cat", python=None)]}, "kind cat"),
        ({"image": None}, "expected what 'make kaggle-dataset' writes"),
    ],
)
def test_a_damaged_manifest_is_refused(workplace: Path, no_pip: None, change: dict[str, object], expected: str) -> None:
    build()
    path = Path("build/kaggle-dataset", MANIFEST)
    write_json(path, read_json(path) | change)
    with pytest.raises(HemorrhageError, match=re.escape(expected)):
        read_manifest(path)


def test_a_damaged_file_is_named(workplace: Path, no_pip: None) -> None:
    manifest = build()
    Path("build/kaggle-dataset/imgaug-1.0-py3-none-any.whl").write_bytes(b"cut")
    with pytest.raises(HemorrhageError, match=r"imgaug-1\.0-py3-none-any\.whl: expected \d+ bytes .* received 3 bytes"):
        check_files(Path("build/kaggle-dataset"), manifest)


def test_a_file_is_described_by_a_known_hash(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"abc")
    described = describe_file(tmp_path / "a.h5", "weights")
    assert described.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert described.bytes == 3


def test_every_dependency_is_carried_or_on_the_image() -> None:
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    needed = {canonical(re.split(r"[<>=;\[ ]", name)[0]) for name in names}
    carried = {one.name for one in CARRIED}
    assert needed <= carried | ON_IMAGE
    assert not carried & ON_IMAGE


def test_carried_wheels_have_the_versions_of_requirements_txt() -> None:
    pins = read_pins(ROOT / "requirements.txt")
    assert f"blosc2=={pins['blosc2']}" in pin_carried(pins)
    with pytest.raises(HemorrhageError, match="expected a pin for imgaug, efficientnet"):
        pin_carried({})


def test_a_requirement_that_nothing_meets_is_found_before_kaggle_finds_it(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "imgaug", requires=("torch>=2; python_version >= '3.8'",))
    with pytest.raises(HemorrhageError, match="needs torch, which is neither carried"):
        find_image_needs([wheel])


def test_the_highest_of_the_lowest_versions_counts(tmp_path: Path) -> None:
    first = make_wheel(tmp_path, "a", requires=("numpy (>=1.9.1)", "opencv_python"))
    second = make_wheel(tmp_path, "b", requires=("numpy>=1.26",))
    assert find_image_needs([first, second]) == {"numpy": "1.26", "opencv-python": "0"}


def test_a_wheels_name_tells_its_package_and_python() -> None:
    names = [
        "x_y-1-cp312-cp312-manylinux2014_x86_64.whl",
        "x-1-cp311-abi3-linux_x86_64.whl",
        "x-1-py2.py3-none-any.whl",
    ]
    assert [python_of(Path(name)) for name in names] == ["3.12", None, None]
    assert name_of(Path(names[0])) == "x-y"


def test_pip_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.exit('WARNING: Retrying\\nERROR: Could not find it\\nERROR: No matching distribution')"
    monkeypatch.setattr(wheels, "download_command", lambda *given: [sys.executable, "-c", script])
    with pytest.raises(HemorrhageError, match=r"the wheels for Python 3\.12: No matching distribution\. .* a network"):
        wheels.fetch_wheels(["x==1"], tmp_path)


def test_a_folder_that_is_no_source_tree_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(HemorrhageError, match="expected the source tree"):
        build_wheel(tmp_path, tmp_path)


@pytest.mark.skipif(not os.environ.get(PYPI), reason=f"PyPI is asked for wheels; set {PYPI}=1 to try it")
def test_the_real_dataset_is_the_same_twice_and_installs_without_a_network(workplace: Path) -> None:
    source = Path(shutil.copytree(ROOT / "src", "tree/src")).parent
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copyfile(ROOT / name, source / name)
    recipe, folder = plan_dataset("sam", [], [], source), Path("build/kaggle-dataset").absolute()
    manifest = build_dataset(recipe, folder, print)
    assert build_dataset(recipe, folder, print) == manifest
    assert {name_of(Path(one.name)) for one in manifest.files} == set(manifest.install)
    pythons = [python for version in PYTHONS if (python := shutil.which(f"python{version}")) and runs(python)]
    if not pythons:
        pytest.skip(f"one of Python {', '.join(PYTHONS)} is wanted on PATH")
    for python in pythons:
        install(python, manifest, folder)


def runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def install(python: str, manifest: dataset.Manifest, folder: Path) -> None:
    """Installs the dataset into a new environment, in a network namespace without a network where there are such."""
    subprocess.run([python, "-m", "venv", "--clear", "fresh"], check=True)
    words = ["fresh/bin/python", "-m", "pip", "install", "--no-index", "--no-deps", "--find-links", str(folder)]
    apart = ["unshare", "-rn"] if subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0 else []
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | {
        "PIP_CONFIG_FILE": os.devnull
    }
    subprocess.run([*apart, *words, *manifest.install], check=True, env=clean)
    code = "import hemorrhage.kaggle.manifest, ndindex, msgpack; print(hemorrhage.__version__)"
    done = subprocess.run(["fresh/bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == manifest.version
