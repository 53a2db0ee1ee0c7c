"""Where the network saw what it answers, as the page lays it over a slice; kept for a while."""

import numpy as np

from hemorrhage.web.network import Network
from hemorrhage.web.sessions import Session
from hemorrhage.web.uploads import build_table

METHODS = ("grad-cam", "grad-cam++", "hires-cam")
_MOST_KEPT = 32


def find_maps(network: Network, session: Session, series_id: str, index: int, method: str) -> np.ndarray:
    """Returns the maps of a slice for each label, uint8 6 x rows x columns, 255 where the network saw most.

    The session keeps the latest; one pass of the network gives all labels. Raises RefusedError for a slice that could
    not be read.
    """
    key = f"{series_id} {index} {method}"
    kept = session.maps.get(key)
    if kept is not None:
        return kept
    series = build_table(session.series(series_id))
    drawn = network.explain(session.owner, series, f"{index:06d}", method).result()
    maps = np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
    session.maps[key] = maps
    while len(session.maps) > _MOST_KEPT:
        session.maps.pop(next(iter(session.maps)), None)
    return maps
