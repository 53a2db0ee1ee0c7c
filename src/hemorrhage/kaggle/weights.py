"""Pretrained weights that came with the dataset, put where Keras looks before it asks the internet."""

import os
from pathlib import Path

from hemorrhage.files import make_folder
from hemorrhage.kaggle.manifest import MANIFEST, Manifest
from hemorrhage.kaggle.mounts import Mounts


def offer_weights(mounts: Mounts, manifest: Manifest) -> list[str]:
    """Returns the names of the dataset's files of weights, after linking them into Keras' cache.

    Raises OSError where the cache cannot be written.
    """
    names = [one.name for one in manifest.files if one.kind == "weights"]
    source = next(folder for folder in mounts.wheels if (folder / MANIFEST).is_file())
    for name in names:
        place = make_folder(_find_cache()) / name
        if not place.exists():
            place.unlink(missing_ok=True)  # a link whose file is gone
            place.symlink_to(source / name)
    return names


def is_offered(name: str) -> bool:
    """Returns whether Keras has a file of weights in its cache."""
    return (_find_cache() / name).is_file()


def _find_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
