"""The command line: arguments to verbs. Each verb is imported when it is called, so that --help is instant."""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence

from hemorrhage import verbs_data, verbs_look, verbs_runs, verbs_training
from hemorrhage.arguments import build_parser
from hemorrhage.errors import HemorrhageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status of one command: 0, or 2 (1 for audit) after one line on stderr."""
    # TensorFlow reads it at import; its faults reach Python as exceptions, its log drowns this program's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # pydicom warns of every odd value of a header; what matters to a reading is an error of our own.
    warnings.filterwarnings("ignore", module="pydicom")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = build_parser().parse_args(arguments)
    try:
        return _VERBS[options.name](options)
    except (HemorrhageError, OSError) as error:
        print(f"hemorrhage {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if options.name == "audit" else 2
    except MemoryError as error:
        cause = f" ({text})" if (text := " ".join(str(error).split())) else ""
        print(f"hemorrhage {options.name}: out of memory{cause}. Give it more, or less to do at once.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept = "nothing was written" if options.name == "phantom" else "what was finished is kept"
        print(f"hemorrhage {options.name}: interrupted; {kept}.", file=sys.stderr, flush=True)
        _leave_at_once(2)
        return 2


def _leave_at_once(status: int) -> None:
    """Ends the process where TensorFlow is loaded: its threads abort an orderly end that an interruption began."""
    if "tensorflow" in sys.modules:
        sys.stdout.flush()
        os._exit(status)


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "phantom": verbs_data.call_phantom,
    "audit": verbs_data.call_audit,
    "prepare": verbs_data.call_prepare,
    "merge": verbs_data.call_merge,
    "train": verbs_training.call_train,
    "lr-find": verbs_training.call_lr_find,
    "probe": verbs_training.call_probe,
    "predict": verbs_training.call_predict,
    "series": verbs_runs.call_series,
    "select": verbs_runs.call_select,
    "blend": verbs_runs.call_blend,
    "calibrate": verbs_runs.call_calibrate,
    "studies": verbs_runs.call_studies,
    "headers": verbs_data.call_headers,
    "explain": verbs_look.call_explain,
    "serve": verbs_look.call_serve,
    "submit": verbs_runs.call_submit,
    "score": verbs_runs.call_score,
    "report": verbs_look.call_report,
    "show": verbs_look.call_show,
    "demo": verbs_training.call_demo,
}
