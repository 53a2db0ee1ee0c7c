"""imgaug 0.4.0 made importable on NumPy 2: the one place where a library is patched.

imgaug reads `numpy.sctypes` at import, which NumPy 2 removed. Nothing else that NumPy took away is put back.
"""

import numpy as np

if not hasattr(np, "sctypes"):
    setattr(  # noqa: B010 - mypy would refuse the plain assignment to a name that NumPy 2 lacks
        np,
        "sctypes",
        {
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64],
            "complex": [np.complex64, np.complex128],
            "others": [bool, object, bytes, str, np.void],
        },
    )

from imgaug import augmenters

__all__ = ["augmenters"]
