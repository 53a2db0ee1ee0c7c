"""What the verbs that show what a run sees are called with."""

import argparse
import importlib.util

from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import load_keras_quietly, open_console

_WEB_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "highdicom", "httpx")


def call_serve(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped."""
    missing = [name.replace("_", "-") for name in _WEB_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise HemorrhageError(
            f"The page needs {', '.join(missing)}. Install what is missing: pip install 'hemorrhage[web]'."
        )
    load_keras_quietly()
    from hemorrhage.web.serve import Address, serve

    serve(options.run, Address(options.host, options.port), options.pacs, open_console())
    return 0


def call_explain(options: argparse.Namespace) -> int:
    """Draws where a run's networks saw what they answer of one slice."""
    load_keras_quietly()
    from hemorrhage.report.explaining import write_explanation

    said = write_explanation(
        options.run, options.slice, options.input, options.label, options.method, options.out, open_console()
    )
    print(f"{said}\nwrote {options.out}. Research use only, not for clinical decisions.")
    return 0
