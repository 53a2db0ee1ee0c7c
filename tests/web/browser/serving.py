"""The shipped run behind a real server, with a small limit for an upload and a session for every test.

python -m tests.web.browser.serving PORT
"""

import sys

from hemorrhage.pipeline.console import SILENT
from hemorrhage.web.limits import Limits
from hemorrhage.web.serve import Address, serve

LIMIT_BYTES = 24 * 1024**2


def main() -> None:
    """Serves until it is killed."""
    serve("@phantom", Address("127.0.0.1", int(sys.argv[1])), None, SILENT, Limits(bytes=LIMIT_BYTES, sessions=200))


if __name__ == "__main__":
    main()
