"""The words of the command line: verbs, their flags, and help with an example each."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from hemorrhage import __version__
from hemorrhage.arguments_data import add_audit, add_input, add_merge, add_phantom, add_prepare, add_verb
from hemorrhage.arguments_look import add_explain, add_report, add_serve, add_show
from hemorrhage.models.names import MODEL_NAMES

NOT_CLINICAL = "Research use only, not for clinical decisions."


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line; parsed options have the verb in `name`."""
    parser = _Parser(
        prog="hemorrhage",
        description=f"Intracranial hemorrhage in head CT, from DICOM to submission.csv. {NOT_CLINICAL}",
        epilog="Begin with: hemorrhage phantom input/phantom, then: hemorrhage train input --model compact --run first",
    )
    parser.add_argument("--version", action="version", version=f"hemorrhage {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in _ADDERS:
        add(verbs)
    return parser


def _add_train(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "train",
        "Train a network on a data set in Kaggle's layout, into submissions/RUN.",
        "hemorrhage train input --model effb4 --run first --fold 0 --set draw=balance-any",
    )
    add_input(parser)
    parser.add_argument("--model", help=f"{', '.join(MODEL_NAMES)} (default: the preset's)")
    parser.add_argument("--run", metavar="NAME", help="name of the run, a folder under submissions/ (not with --plan)")
    parser.add_argument("--preset", default="default", help="default, original-resnet50, original-effb4 or demo")
    parser.add_argument("--fold", metavar="K", help="the fold held out, from 0, or 'all' to train each (default 0)")
    parser.add_argument("--folds", type=int, metavar="N", help="how many folds by patient (default 5)")
    parser.add_argument("--epochs", type=int, metavar="E", help="(default: the model's, 4 for the large ones)")
    parser.add_argument("--size", type=int, metavar="PX", help="pixels a side that the network sees (default 256)")
    parser.add_argument("--batch", type=int, metavar="B", help="slices a step (default 32)")
    parser.add_argument("--steps", type=int, metavar="N", help="at most so many batches an epoch")
    parser.add_argument("--limit", type=int, metavar="SLICES", help="use whole patients up to about so many slices")
    parser.add_argument("--weights", metavar="W", help="imagenet, none, or a file (.keras, .h5) or run folder")
    parser.add_argument("--windows", metavar="LIST", help="such as brain,subdural,bone or brain,80/200,soft_tissue")
    parser.add_argument(
        "--seed", type=int, metavar="S", help="of draws, weights and augmentation; folds have fold_seed (default 0)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--plan", action="store_true", help="time a few steps and print the run's hours; train nothing")
    parser.add_argument("--max-hours", type=float, metavar="H", help="stop in good order after H hours, to be resumed")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other value of the config, such as dropout=0.2; an unknown key names its nearest",
    )


def _add_lr_find(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "lr-find",
        "Raise the learning rate from step to step until the loss diverges; suggest one and plot it. Keeps no network.",
        "hemorrhage lr-find input --model effb4 --limit 20000 --out lr-find",
    )
    add_input(parser)
    parser.add_argument("--model", help=f"{', '.join(MODEL_NAMES)} (default: the preset's)")
    parser.add_argument("--preset", default="default", help="default, original-resnet50, original-effb4 or demo")
    parser.add_argument("--fold", metavar="K", help="the fold left out, from 0 (default 0)")
    parser.add_argument("--folds", type=int, metavar="N", help="how many folds by patient (default 5)")
    parser.add_argument("--size", type=int, metavar="PX", help="pixels a side that the network sees (default 256)")
    parser.add_argument("--batch", type=int, metavar="B", help="slices a step (default 32)")
    parser.add_argument("--steps", type=int, metavar="N", help="at most so many batches in each of the two epochs")
    parser.add_argument("--limit", type=int, metavar="SLICES", help="use whole patients up to about so many slices")
    parser.add_argument("--weights", metavar="W", help="imagenet, none, or a file (.keras, .h5) or run folder")
    parser.add_argument("--windows", metavar="LIST", help="such as brain,subdural,bone or brain,80/200,soft_tissue")
    parser.add_argument(
        "--seed", type=int, metavar="S", help="of draws, weights and augmentation; folds have fold_seed (default 0)"
    )
    parser.add_argument("--low", type=float, default=1e-6, metavar="R", help="the first step's rate (default 1e-6)")
    parser.add_argument("--high", type=float, default=1.0, metavar="R", help="the last step's rate (default 1)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("lr-find"),
        metavar="FOLDER",
        help="where lr-find.png and lr-find.csv go, over older ones (default lr-find)",
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any other value of the config")


def _add_probe(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "probe",
        "Score quick baselines by folds of patients: linear models on a frozen network's features of slices.",
        "hemorrhage probe effb0 input --limit 2000",
    )
    parser.add_argument(
        "network",
        metavar="RUN_OR_MODEL",
        help="a run under submissions/, on the slices that it did not learn from; or a network that 'train' knows, "
        "which is also meant where both exist and --weights, --size or --windows is given",
    )
    add_input(parser)
    parser.add_argument("--weights", metavar="W", help="of a model: imagenet, none or a file (default: the model's)")
    parser.add_argument("--size", type=int, metavar="PX", help="of a model: pixels a side (default: the model's)")
    parser.add_argument("--windows", metavar="LIST", help="of a model: such as brain,subdural,bone (the default)")
    parser.add_argument("--limit", type=int, default=4000, metavar="N", help="at most so many slices (default 4000)")
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="folds of patients (default 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the slices drawn and folds (default 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_predict(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "predict",
        "Predict held-out and test slices with a run, or the slices of any folder of DICOM files.",
        "hemorrhage predict first input --tta identity,mirror",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/")
    add_input(parser)
    parser.add_argument(
        "--tta",
        metavar="VIEWS",
        help="out of identity, mirror, turn_left, turn_right, crop, mirror_crop (default: the run's)",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the tables go (default: the run's folder)")
    parser.add_argument(
        "--embeddings", action="store_true", help="also write each network's features of every slice, for 'series'"
    )


def _add_series(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "series",
        "Train a second stage over the slices of a series in order, on what runs predicted, into submissions/RUN.",
        "hemorrhage series first --run first-series",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="runs of 'train' with the same folds, after 'predict'",
    )
    parser.add_argument("--run", metavar="NAME", help="name of the new run (default: the first RUN's with -series)")
    parser.add_argument(
        "--on", choices=("probabilities", "embeddings"), help="what it sees of each slice (default probabilities)"
    )
    parser.add_argument("--model", choices=("gru", "conv", "transformer"), help="(default gru)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other value, such as units=64 or epochs=60"
    )


def _add_select(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "select",
        "Make a run of a part of another, the networks of some folds, epochs and views, for 'blend' and all others.",
        "hemorrhage select first-mirrored first --fold 0 --epochs 3,4 --tta identity,mirror",
    )
    parser.add_argument("select_name", metavar="NAME", help="name of the new run, a folder under submissions/")
    parser.add_argument("run", metavar="RUN", help="a run of 'train'")
    parser.add_argument("--fold", metavar="K", help="one fold or more, such as 0 or 0,2 (default: the run's)")
    parser.add_argument(
        "--epochs", metavar="E", help="saved epochs, such as 18,20 (default: those that the run averages)"
    )
    parser.add_argument("--tta", metavar="VIEWS", help="such as identity,mirror (default: the run's)")


def _add_blend(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "blend",
        "Make one run of several that were trained on the same folds, and say what each of them adds.",
        "hemorrhage blend both first second --how weighted",
    )
    parser.add_argument("blend_name", metavar="NAME", help="name of the new run, a folder under submissions/")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="runs that have predicted, of any kind")
    parser.add_argument(
        "--how",
        choices=("mean", "weighted", "rank", "max", "min"),
        default="mean",
        help="mean (default), weighted (least out-of-fold log loss by label), rank (mean of ranks), max or min",
    )


def _add_calibrate(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "calibrate",
        "Fit a run's probabilities to its out-of-fold labels, judged by patients apart; for 'submit --calibrated'.",
        "hemorrhage calibrate first",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/, after 'predict'")
    parser.add_argument(
        "--kind",
        choices=("auto", "none", "temperature", "platt", "isotonic"),
        default="auto",
        help="(default auto: the best of the others on patients held out, none where nothing helps)",
    )


def _add_studies(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "studies",
        "Write studies.csv, a run's answers for whole studies: highest slice, noisy-or, majority, and a learned one.",
        "hemorrhage studies first",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/, after 'predict'")


def _add_headers(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "headers",
        "Print how well header fields alone predict the labels: what a shortcut past the pixels could give.",
        "hemorrhage headers input",
    )
    add_input(parser)
    parser.add_argument("--with-position", action="store_true", help="also where a slice lies in its series")
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="folds of patients (default 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_submit(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "submit",
        "Write and check submission.csv from a run's test predictions. Nothing is uploaded.",
        "hemorrhage submit first",
    )
    parser.add_argument("run", metavar="NAME", help="a run, a folder under submissions/")
    parser.add_argument("--allow-missing", type=int, metavar="N", help="let up to N slices have the prevalence")
    parser.add_argument(
        "--clip",
        type=float,
        help="keep probabilities this far from 0 and 1 (default 1e-6; with --calibrated what 'calibrate' found)",
    )
    parser.add_argument("--calibrated", action="store_true", help="apply the run's calibration.json, by 'calibrate'")


def _add_score(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "score",
        "Score a submission against answers, both Kaggle's long CSV.",
        "hemorrhage score submissions/demo/submission.csv input/phantom/stage_2_test_answers.csv",
    )
    parser.add_argument("submission", type=Path, metavar="SUBMISSION")
    parser.add_argument("answers", type=Path, metavar="ANSWERS")
    parser.add_argument(
        "--patients",
        type=Path,
        metavar="TABLE",
        help="Parquet or CSV with image_id, patient_id and perhaps series_id, such as a run's test.parquet: intervals "
        "by patient (without it by slice, too narrow), and figures by study",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="for the second confusion table (default: best F1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def _add_demo(verbs: Any) -> None:
    parser = add_verb(
        verbs,
        "demo",
        "Run the whole competition on a phantom data set: phantom, train, predict, submit, score.",
        "hemorrhage demo",
    )
    parser.add_argument("--quick", action="store_true", help="fewer heads and epochs: shows the path, not the score")


_ADDERS = (
    add_phantom,
    add_audit,
    add_prepare,
    add_merge,
    _add_train,
    _add_lr_find,
    _add_probe,
    _add_predict,
    _add_series,
    _add_select,
    _add_blend,
    _add_calibrate,
    _add_studies,
    _add_headers,
    add_explain,
    _add_submit,
    _add_score,
    add_report,
    add_show,
    add_serve,
    _add_demo,
)
