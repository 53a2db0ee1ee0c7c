"""Where a run's networks find a label in the slices of a report, or in words why that is not shown."""

from collections.abc import Sequence

from hemorrhage.pipeline.console import Console
from hemorrhage.report.cases import Heat
from hemorrhage.report.images import InputSlices
from hemorrhage.report.material import Material


def look_at(
    material: Material, image_ids: Sequence[str], slices: InputSlices | None, console: Console
) -> tuple[Heat | None, str]:
    return None, ""
