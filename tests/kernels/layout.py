"""A faithful copy of what Kaggle mounts, in both of its layouts, and what there is to mount: heads and the dataset."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from hemorrhage.ct.phantom import GENERATOR_VERSION
from hemorrhage.kaggle.manifest import MANIFEST, describe_file, read_manifest, write_manifest
from hemorrhage.kaggle.names import COMPETITION, DATASET
from hemorrhage.kaggle.wheels import download_command, pin_carried, read_pins
from hemorrhage.pipeline.phantom import write_phantom
from tests.kernels.image import BUILD, ROOT, building, remove_others

OWNER = "someone"
# Few heads, and yet of each subtype but the epidural there are several to learn from.
_PATIENTS, _SEED, _SIZE = 20, 1, 256


@dataclass(frozen=True)
class Kaggle:
    """A folder that stands for /kaggle; `is_new` is the layout with competitions/, datasets/ and notebooks/."""

    root: Path
    is_new: bool = True

    @property
    def working(self) -> Path:
        return self.root / "working"

    def mount_competition(self, phantom: Path) -> None:
        """Mounts the competition's data, its slug nested twice, without what only phantoms have but their mark."""
        place = self.root / "input" / ("competitions" if self.is_new else "") / COMPETITION / COMPETITION
        place.mkdir(parents=True)
        for name in ("stage_2_train.csv", "stage_2_sample_submission.csv", "stage_2_train", "stage_2_test"):
            (place / name).symlink_to(phantom / COMPETITION / name)
        shutil.copyfile(phantom / "phantom.json", place.parent / "phantom.json")

    def mount_dataset(self, folder: Path) -> Path:
        """Mounts a dataset; returns where, as a copy, so that a test may damage it."""
        owner = f"datasets/{OWNER}" if self.is_new else ""
        return Path(shutil.copytree(folder, self.root / "input" / owner / DATASET))

    def mount_output(self, kernel: str, output: Path) -> None:
        """Mounts the output of another kernel, read-only as there."""
        owner = f"notebooks/{OWNER}" if self.is_new else ""
        place = self.root / "input" / owner / f"hemorrhage-{kernel}"
        shutil.copytree(output, place, ignore=shutil.ignore_patterns(".*"))
        for path in place.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)


def lay_out(root: Path, is_new: bool = True) -> Kaggle:
    """Returns an empty copy of the layout below `root`."""
    (root / "input").mkdir(parents=True)
    (root / "working").mkdir()
    return Kaggle(root, is_new)


def make_phantom() -> Path:
    """Returns the folder of the synthetic heads that kernels run on, made once and kept in build/."""
    folder = BUILD / f"phantom-{GENERATOR_VERSION}.{_PATIENTS}.{_SEED}.{_SIZE}"
    with building():
        if not folder.is_dir():
            remove_others(folder)
            write_phantom(folder, _PATIENTS, _SEED, _SIZE, workers=2)
    return folder


def build_dataset(python: str) -> Path:
    """Returns the folder of wheels that 'python -m hemorrhage.kaggle dataset' builds of this tree, kept by its hash.

    A Python that the dataset is not made for, but which is the only one at hand, gets its wheels as well.
    """
    folder = BUILD / f"dataset-{_hash_tree()}"
    with building():
        if not (folder / MANIFEST).is_file():
            remove_others(folder)
            command = [sys.executable, "-m", "hemorrhage.kaggle", "dataset", "--out", folder]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        if python not in read_manifest(folder / MANIFEST).pythons:
            _add_python(folder, python)
    return folder


def _hash_tree() -> str:
    digest = hashlib.sha256()
    for path in [ROOT / "pyproject.toml", ROOT / "requirements.txt", *sorted((ROOT / "src").rglob("*"))]:
        if path.is_file() and "__pycache__" not in path.parts and not path.parent.name.endswith(".egg-info"):
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _add_python(folder: Path, python: str) -> None:
    wanted = pin_carried(read_pins(ROOT / "requirements.txt"))
    subprocess.run(download_command(wanted, python, folder), check=True)
    manifest = read_manifest(folder / MANIFEST)
    files = tuple(describe_file(path, "wheel") for path in sorted(folder.glob("*.whl")))
    write_manifest(folder / MANIFEST, replace(manifest, pythons=(*manifest.pythons, python), files=files))
