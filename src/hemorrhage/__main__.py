"""`python -m hemorrhage` is the command `hemorrhage`."""

import sys

from hemorrhage.cli import main

sys.exit(main())
