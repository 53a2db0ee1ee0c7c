"""From what a network saw back to the slice: maps enlarged and laid where their square was cut from."""

import cv2
import numpy as np

from hemorrhage.ct.codec import square_around
from hemorrhage.ct.crop import find_box, paste_box


def upsample_maps(maps: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Returns maps, ... x h x w, at rows x columns, float32 ... x rows x columns.

    Bilinear between the middles of the places, and level beyond the outermost ones. No value leaves the range of the
    map, though a peak between two pixels is cut a little lower.
    """
    planes = maps.reshape(-1, *maps.shape[-2:]).astype(np.float32)
    enlarged = [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.array(enlarged, dtype=np.float32).reshape(*maps.shape[:-2], rows, columns)


def project_maps(maps: np.ndarray, pixels_hu: np.ndarray, crop: str) -> np.ndarray:
    """Returns maps of what a network saw of a slice, ... x h x w, on that slice, float32 ... x rows x columns.

    `pixels_hu` is the whole slice, rows x columns, which was padded to a square, or cut as `crop` ("none" or "head")
    says (ct.codec.resize_hu). What the network did not see is 0. Raises HemorrhageError for another crop.
    """
    rows, columns = pixels_hu.shape
    box = find_box(pixels_hu, crop) or square_around(rows, columns)
    return paste_box(upsample_maps(maps, box.side, box.side), box, rows, columns)
