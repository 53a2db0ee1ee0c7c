"""The verbs by which people look at what a run does: options to calls."""

import argparse
import importlib.util

from hemorrhage.errors import HemorrhageError
from hemorrhage.terminal import load_keras_quietly, open_console

_WEB_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "highdicom", "httpx")


def serve_page(options: argparse.Namespace) -> int:
    """Runs the verb serve."""
    missing = [name.replace("_", "-") for name in _WEB_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise HemorrhageError(f"The page needs {', '.join(missing)}. Install them: pip install 'hemorrhage[web]'.")
    load_keras_quietly()
    from hemorrhage.web.serve import Address, serve

    serve(options.run, Address(options.host, options.port), options.pacs, open_console())
    return 0
