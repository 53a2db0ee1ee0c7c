"""The kernels one after another, as a user runs them: each has the outputs of those before it attached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kernels.image import make_image, version_of
from tests.kernels.layout import Kaggle, build_dataset, lay_out, make_phantom
from tests.kernels.running import STOPPED_TRAIN, Execution, run_kernel


@dataclass(frozen=True)
class Workshop:
    """What every run needs: the image's Python, the folder of wheels, the synthetic heads, and a folder to work in."""

    image: Path
    dataset: Path
    phantom: Path
    folder: Path

    def mount(self, name: str, outputs: Mapping[str, Path] | None = None, is_new: bool = True) -> Kaggle:
        """Returns a new copy of Kaggle's layout with the data, the dataset and outputs of kernels attached."""
        kaggle = lay_out(self.folder / name, is_new)
        kaggle.mount_competition(self.phantom)
        kaggle.mount_dataset(self.dataset)
        for kernel, output in (outputs or {}).items():
            kaggle.mount_output(kernel, output)
        return kaggle


def open_workshop(folder: Path) -> Workshop:
    """Returns a workshop in `folder`, after making what is not kept in build/ yet."""
    image = make_image()
    return Workshop(image, build_dataset(version_of(image)), make_phantom(), folder)


@dataclass(frozen=True)
class Link:
    """One kernel of the chain: after its run, and where it worked."""

    execution: Execution
    kaggle: Kaggle


def run_chain(shop: Workshop) -> dict[str, Link]:
    """Returns prepare, train stopped by its clock, train going on from that, and infer, by these names."""
    links = {"prepare": _run(shop, "prepare", "prepare")}
    store = {"prepare": links["prepare"].kaggle.working}
    links["train stopped"] = _run(shop, "train stopped", "train", store, STOPPED_TRAIN, is_new=False)
    links["train"] = _run(shop, "train", "train", store | {"train": links["train stopped"].kaggle.working})
    links["infer"] = _run(shop, "infer", "infer", store | {"train": links["train"].kaggle.working})
    return links


def run_alone(shop: Workshop, kernels: Sequence[str] = ("explore", "quickstart")) -> dict[str, Link]:
    """Returns the kernels that need no other."""
    return {kernel: _run(shop, kernel, kernel) for kernel in kernels}


def _run(
    shop: Workshop,
    name: str,
    kernel: str,
    outputs: Mapping[str, Path] | None = None,
    parameters: Mapping[str, Any] | None = None,
    is_new: bool = True,
) -> Link:
    kaggle = shop.mount(name.replace(" ", "-"), outputs, is_new)
    execution = run_kernel(kernel, kaggle, shop.image, parameters)
    if not execution.is_whole:
        raise AssertionError(f"kernel {name}: " + "\n".join(execution.error["traceback"]))
    return Link(execution, kaggle)
