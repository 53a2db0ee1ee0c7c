"""The image under a kernel, held against what the wheels count on.

The first cell of every kernel asks this, so that it may need nothing but Python and this package: what is wrong with an
image has to be said before anything is loaded from it.
"""

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.manifest import Manifest, read_manifest
from hemorrhage.kaggle.stops import stopping

_SAME_CODE = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python")}


@stopping()
def require_image(manifest_path: Path) -> None:
    """Raises Stop where the image lacks what the manifest of the wheels counts on."""
    check_image(read_manifest(manifest_path))


def check_image(manifest: Manifest) -> None:
    """Raises HemorrhageError where the image lacks a package that the manifest counts on, or has an older one."""
    lacking = [text for name, wanted in manifest.image.items() if (text := _describe_lack(name, wanted))]
    if lacking:
        raise HemorrhageError(
            f"Expected a newer Kaggle image: {'; '.join(lacking)}. Choose 'Always use latest environment' in the "
            "notebook's settings, or build the wheels for this image."
        )


def _describe_lack(name: str, wanted: str) -> str | None:
    version = find_version(name)
    if version is None:
        return f"{name} {wanted} or later, none is installed"
    if parse_version(version) < parse_version(wanted):
        return f"{name} {wanted} or later, received {version}"
    return None


def find_version(name: str) -> str | None:
    """Returns the version of an installed package, or of one that takes its place; None where there is neither."""
    for one in (name, *_SAME_CODE.get(name, ())):
        try:
            return metadata.version(one)
        except metadata.PackageNotFoundError:
            continue
    return None


def parse_version(text: str) -> tuple[int, ...]:
    """Returns the numbers of a version such as 2.20.0, up to the first part that is none."""
    release = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in release.group().split(".")) if release else ()


def describe_versions(names: Mapping[str, str]) -> str:
    """Returns the titles of `names` (title by package) with the versions installed."""
    return ", ".join(f"{title} {find_version(name) or 'none'}" for name, title in names.items())
