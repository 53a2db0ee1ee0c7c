"""`python -m hemorrhage.kaggle`: dataset, push, upload and download, each with a dry run that sends nothing."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hemorrhage.errors import HemorrhageError

_PROGRAM = "python -m hemorrhage.kaggle"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try '{self.prog} --help'.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status of one command: 0, or 2 after one line on stderr."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = build_parser().parse_args(arguments)
    try:
        _VERBS[options.name](options)
        return 0
    except (HemorrhageError, OSError) as error:
        print(f"hemorrhage kaggle {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"hemorrhage kaggle {options.name}: interrupted; what was finished is kept.", file=sys.stderr, flush=True)
    return 2


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the four verbs; parsed options have the verb in `name`."""
    parser = _Parser(prog=_PROGRAM, description="The round trip to Kaggle, by its official client.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_dataset(verbs)
    _add_push(verbs)
    _add_upload(verbs)
    _add_download(verbs)
    return parser


def _add_verb(verbs: Any, name: str, description: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=description,
        description=description,
        epilog=f"example:\n  {_PROGRAM} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(name=name)
    parser.add_argument("--dry-run", action="store_true", help="show what would be done or sent; do and send nothing")
    return parser


def _add_dataset(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "dataset",
        "Build the folder of wheels, weights and runs that notebooks install from, ready for 'kaggle datasets create'.",
        "dataset --user sam --run first --weights efficientnetb4_notop.h5",
    )
    parser.add_argument("--user", metavar="NAME", help="your name on Kaggle, the dataset's owner")
    parser.add_argument("--out", type=Path, default=Path("build/kaggle-dataset"), metavar="FOLDER")
    parser.add_argument("--run", action="append", default=[], metavar="NAME", help="a run to go along (repeatable)")
    parser.add_argument(
        "--weights", action="append", default=[], type=Path, metavar="FILE", help="a .keras or .h5 file (repeatable)"
    )


def _add_push(verbs: Any) -> None:
    parser = _add_verb(verbs, "push", "Push a kernel, which runs there at once.", "push train --user sam --dry-run")
    parser.add_argument("kernel", nargs="?", metavar="KERNEL", help="the name of a folder in kernels/")
    parser.add_argument("--user", metavar="NAME", help="your name on Kaggle")
    parser.add_argument("--kernels", type=Path, default=Path("kernels"), metavar="FOLDER", help="(default kernels)")


def _add_upload(verbs: Any) -> None:
    parser = _add_verb(verbs, "upload", "Check submissions/RUN/submission.csv and upload it.", "upload first --dry-run")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "--input",
        type=Path,
        metavar="FOLDER",
        help="check against the sample submission below it, not the run's slices",
    )


def _add_download(verbs: Any) -> None:
    parser = _add_verb(
        verbs, "download", "Bring the competition's data; the disk it takes is said first.", "download --out input"
    )
    parser.add_argument("--out", type=Path, default=Path("input"), metavar="FOLDER", help="(default input)")
    parser.add_argument("--keep-zip", action="store_true", help="keep the archive when it is unpacked")


def _dataset(options: argparse.Namespace) -> None:
    from hemorrhage.kaggle.dataset import build_dataset, describe_recipe, format_dataset, plan_dataset

    recipe = plan_dataset(options.user, options.run, options.weights)
    if options.dry_run:
        print(describe_recipe(recipe, options.out))
        return
    manifest = build_dataset(recipe, options.out, _say)
    print(format_dataset(manifest, options.out, recipe.owner))


def _push(options: argparse.Namespace) -> None:
    from hemorrhage.kaggle.client import describe_call, open_api, send
    from hemorrhage.kaggle.push import describe_push, prepare_kernel

    with prepare_kernel(options.kernel, options.user, options.kernels) as call:
        print(describe_call(call) if options.dry_run else describe_push(call, send(call, open_api()), _warn))


def _upload(options: argparse.Namespace) -> None:
    from hemorrhage.kaggle.client import describe_call, open_api, send
    from hemorrhage.kaggle.upload import describe_upload, plan_upload, require_competition, warn_of_refusal

    call = plan_upload(options.run, options.input, _warn)
    if options.dry_run:
        warn_of_refusal(call.files[0], _warn)
        print(describe_call(call))
        return
    require_competition(call.files[0])
    _say(f"uploading {call.files[0]}: {call.arguments['message']}")
    print(describe_upload(call, send(call, open_api())))


def _download(options: argparse.Namespace) -> None:
    from hemorrhage.kaggle.client import open_api
    from hemorrhage.kaggle.download import Place, describe_download, download

    place = Place(options.out)
    if options.dry_run:
        print(describe_download(place, _warn))
        return
    folder = download(place, open_api, _open_console(), options.keep_zip)
    print(f"the data are in {folder}\nnext: make audit INPUT={os.path.relpath(folder)}")


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _open_console() -> Any:
    from tqdm import tqdm

    from hemorrhage.pipeline.console import Console, LineBar

    def open_bar(total: int, what: str) -> Any:
        if not sys.stderr.isatty():
            return LineBar(total, what, lambda text: print(text, file=sys.stderr, flush=True))
        return tqdm(total=total, desc=what, unit=" files", leave=False, file=sys.stderr)

    return Console(say=_say, warn=_warn, bar=open_bar)


_VERBS: dict[str, Callable[[argparse.Namespace], None]] = {
    "dataset": _dataset,
    "push": _push,
    "upload": _upload,
    "download": _download,
}

if __name__ == "__main__":
    sys.exit(main())
