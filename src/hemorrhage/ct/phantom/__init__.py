"""A head made from anatomy: HU and masks by name, without a patient.

`build_head` draws a head, `draw_bleeds` its hemorrhages, `draw_scan` how it is scanned, `render_series` gives the
slices. The modules build on each other in this order: space, anatomy, brain, blood, stain (what blood does to a
brain), scanner, stored (how files keep HU).
"""

from hemorrhage.ct.phantom.anatomy import Head, build_head
from hemorrhage.ct.phantom.blood import SUBTYPES, Bleed, draw_bleeds
from hemorrhage.ct.phantom.scanner import (
    HU_HIGH,
    HU_LOW,
    MIN_AREA_MM2,
    RenderedSlice,
    Scan,
    draw_scan,
    render_masks,
    render_series,
)
from hemorrhage.ct.phantom.stored import STORED_FORMS, StoredForm, build_circle, build_header, to_raw

GENERATOR_VERSION = 1

__all__ = [
    "GENERATOR_VERSION",
    "HU_HIGH",
    "HU_LOW",
    "MIN_AREA_MM2",
    "STORED_FORMS",
    "SUBTYPES",
    "Bleed",
    "Head",
    "RenderedSlice",
    "Scan",
    "StoredForm",
    "build_circle",
    "build_head",
    "build_header",
    "draw_bleeds",
    "draw_scan",
    "render_masks",
    "render_series",
    "to_raw",
]
