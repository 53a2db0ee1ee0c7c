"""A head made from anatomy: HU and masks by name, without a patient.

`build_head` draws a head, `draw_bleeds` its hemorrhages, `draw_mimics` what looks like one, `draw_scan` how it is
scanned, `render_series` gives the slices. A head is no volume but functions of where a point lies: every slice is
computed at its own points. The modules build on each other in this order:

    space, shape, place      planes of points, random fields, solids, the head's own coordinates
    tissue, skull, bone, face, neck, scalp -> anatomy     what lies outside the cavity
    cerebrum, cortex, cisterns, ventricles, nuclei, hindbrain, meninges -> brain     what lies inside
    scene, vault, linings, dura, clots, sulcal, ventricular -> blood, stain          bleeds, and what they do
    surgery -> mimics        what looks like a bleed and is none
    projection, beam, noise, metal, table, scan -> scanner, stored                   how it is seen, and kept
"""

from hemorrhage.ct.phantom.anatomy import Head, build_head
from hemorrhage.ct.phantom.blood import SUBTYPES, Bleed, draw_bleeds
from hemorrhage.ct.phantom.mimics import Mimic, draw_mimics
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

GENERATOR_VERSION = 4
"""To be raised whenever the same seed gives other slices."""

__all__ = [
    "GENERATOR_VERSION",
    "HU_HIGH",
    "HU_LOW",
    "MIN_AREA_MM2",
    "STORED_FORMS",
    "SUBTYPES",
    "Bleed",
    "Head",
    "Mimic",
    "RenderedSlice",
    "Scan",
    "StoredForm",
    "build_circle",
    "build_head",
    "build_header",
    "draw_bleeds",
    "draw_mimics",
    "draw_scan",
    "render_masks",
    "render_series",
    "to_raw",
]
