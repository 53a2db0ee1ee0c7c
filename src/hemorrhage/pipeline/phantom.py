"""The verb that writes a made-up data set in Kaggle's layout, so that everything can be tried without a download.

    OUT/phantom.json                          what made it, and how many of what
    OUT/stage_2_test_answers.csv              the test labels, for `score` alone
    OUT/rsna-intracranial-hemorrhage-detection/
      stage_2_train.csv, stage_2_sample_submission.csv
      stage_2_train/ID_x.dcm, stage_2_test/ID_x.dcm
      masks_train/ID_x.png, masks_test/ID_x.png   uint8: bit k is set where LABELS[k] bleeds; positive slices only

The plan (who bleeds, who is tested, which scanner) is laid out first for all patients, in strata, so that few
patients suffice to have everything; each patient is then made from (seed, patient index) alone.
"""

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hemorrhage.ct.phantom import (
    GENERATOR_VERSION,
    Bleed,
    Head,
    RenderedSlice,
    Scan,
    build_head,
    draw_bleeds,
    draw_scan,
    render_masks,
    render_series,
)
from hemorrhage.ct.writing import write_slice
from hemorrhage.data.labels import LABELS, SUBTYPES
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import make_folder, write_json
from hemorrhage.pipeline.phantom_plan import PatientPlan, StoredForm, build_header, draw_plan, scramble, to_raw

DATASET_FOLDER = "rsna-intracranial-hemorrhage-detection"
MAX_PATIENTS = 20_000
MIN_SIZE, MAX_SIZE = 32, 1024
