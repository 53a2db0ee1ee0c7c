"""A kernel is filled in for one user, checked, and shown or sent."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.files import read_json, write_json
from hemorrhage.kaggle.__main__ import main
from hemorrhage.kaggle.client import Answer
from hemorrhage.kaggle.names import slugify
from hemorrhage.kaggle.push import KERNELS, describe_push, list_kernels, prepare_kernel

ROOT = Path(__file__).parents[2]


def change(kernel: Path, **values: object) -> None:
    path = kernel / "kernel-metadata.json"
    write_json(path, read_json(path) | values)


def test_the_placeholder_becomes_the_user_and_the_rest_is_said(kernel: Path) -> None:
    with prepare_kernel("train", "sam") as call:
        assert read_json(Path(call.arguments["folder"]) / "kernel-metadata.json") == call.metadata
    assert call.metadata == {
        "id": "sam/hemorrhage-train",
        "title": "Hemorrhage train",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_internet": False,
        "code_file": "train.ipynb",
        "enable_gpu": True,
        "kernel_sources": ["sam/hemorrhage-prepare"],
        "dataset_sources": ["sam/hemorrhage-wheels"],
        "competition_sources": ["rsna-intracranial-hemorrhage-detection"],
        "machine_shape": "NvidiaTeslaT4",
    }
    assert not Path(call.arguments["folder"]).exists()
    assert "USER/hemorrhage-train" in (kernel / "kernel-metadata.json").read_text()


def test_a_kernel_without_a_gpu_names_no_machine(kernel: Path) -> None:
    change(kernel, enable_gpu=False, machine_shape="")
    with prepare_kernel("train", "sam") as call:
        assert "machine_shape" not in call.metadata


def test_sources_of_others_stay_and_the_wheels_come_once(kernel: Path) -> None:
    change(kernel, dataset_sources=["other/some-store", "USER/hemorrhage-wheels"])
    with prepare_kernel("train", "sam") as call:
        assert call.metadata["dataset_sources"] == ["sam/hemorrhage-wheels", "other/some-store"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("enable_internet", True, "enable_internet to be false"),
        ("is_private", False, "is_private to be true"),
        ("language", "r", 'language to be "python"'),
        ("title", "Training", "title to be one that makes hemorrhage-train"),
        ("id", "USER/train", "id to be USER/hemorrhage-train"),
        ("enable_gpu", "yes", "enable_gpu to be true or false"),
        ("code_file", "../train.ipynb", "code_file to be a notebook beside it"),
        ("code_file", "gone.ipynb", "gone.ipynb: expected the notebook"),
        ("dataset_sources", "USER/x", "dataset_sources to be a list"),
        ("kernel_sources", ["prepare"], "sources to be owner/name"),
        ("competition_sources", ["titanic"], "competition_sources to be a list with rsna"),
    ],
)
def test_metadata_that_would_be_refused_or_fail_is_one_line(
    kernel: Path, key: str, value: object, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(kernel, **{key: value})
    assert main(["push", "train", "--user", "sam", "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


@pytest.mark.parametrize("text", ["no json", "[]", '{"cells": []}'])
def test_a_code_file_that_is_no_notebook_is_refused(kernel: Path, text: str) -> None:
    (kernel / "train.ipynb").write_text(text)
    with pytest.raises(HemorrhageError, match=r"train\.ipynb: expected"), prepare_kernel("train", "sam"):
        pass


@pytest.mark.parametrize("words", [["nope", "--user", "sam"], ["--user", "sam"]])
def test_an_unknown_kernel_is_answered_with_those_there_are(
    kernel: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", *words]) == 2
    assert "there are: train." in capsys.readouterr().err


@pytest.mark.parametrize("user", [[], ["--user", "USER"], ["--user", "a b"], ["--user", "me/you"]])
def test_a_bad_user_is_refused(kernel: Path, user: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "train", *user, "--dry-run"]) == 2
    assert "Expected USER=name" in capsys.readouterr().err


def test_a_dry_run_shows_call_files_and_metadata(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "train", "--user", "sam", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("would push sam/hemorrhage-train: KaggleApi.kernels_push with\n")
    size = (kernel / "train.ipynb").stat().st_size
    assert f"  train.ipynb  {size:,} bytes  sha256 " in shown
    metadata = shown.split("metadata\n")[1].removesuffix("nothing was sent\n")
    assert json.loads(metadata)["enable_internet"] is False


def test_what_kaggle_refuses_of_a_pushed_kernel_is_an_error(kernel: Path) -> None:
    said: list[str] = []
    with prepare_kernel("train", "sam") as call:
        taken = SimpleNamespace(error="", version_number=3, url="https://kaggle.com/sam/x", invalid_dataset_sources=[])
        pushed = "pushed version 3, which runs now: https://kaggle.com/sam/x"
        assert describe_push(call, Answer(taken, ""), said.append) == pushed
        with pytest.raises(HemorrhageError, match="Kaggle says: Title taken"):
            describe_push(call, Answer(SimpleNamespace(error="Title taken"), ""), said.append)
        lacking = SimpleNamespace(error="", url="https://x", invalid_dataset_sources=["sam/hemorrhage-wheels"])
        with pytest.raises(HemorrhageError, match="without dataset sam/hemorrhage-wheels"):
            describe_push(call, Answer(lacking, ""), said.append)
        assert said == []
        taken.invalid_kernel_sources = ["sam/hemorrhage-prepare"]
        assert describe_push(call, Answer(taken, ""), said.append) == pushed
        assert "without the output of kernel sam/hemorrhage-prepare" in said[0]


def test_a_title_becomes_a_slug_as_kaggle_makes_it() -> None:
    assert slugify("  Hemorrhage: train (2 x T4)!") == "hemorrhage-train-2-x-t4"


@pytest.mark.parametrize("name", list_kernels(ROOT / KERNELS))
def test_every_kernel_of_the_repository_can_be_pushed(name: str) -> None:
    with prepare_kernel(name, "sam", ROOT / KERNELS) as call:
        assert call.metadata["id"] == f"sam/hemorrhage-{name}"
        assert not any("USER/" in source for source in call.metadata["kernel_sources"])
