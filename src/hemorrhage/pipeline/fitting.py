"""Training one fold: epochs in order, each drawn, fitted, validated and saved before the next."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from hemorrhage.data.augment import Augmentation, Erasing, find_recipe
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.labels import LABELS
from hemorrhage.data.metrics import constant_score, label_log_losses, weighted_log_loss
from hemorrhage.data.mixing import Mixing
from hemorrhage.data.sampling import Draw, KeepRates, draw_epoch, draw_hard, keep_rates
from hemorrhage.data.source import WindowedSource
from hemorrhage.data.table import write_table
from hemorrhage.data.views import IDENTITY
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import replacing
from hemorrhage.models.backbones import build_model, set_backbone_trainable
from hemorrhage.models.devices import distribution_scope
from hemorrhage.models.inference import Member, predict_slices
from hemorrhage.models.losses import find_loss
from hemorrhage.models.optimizers import build_optimizer, carry_over, swap_average, using_average
from hemorrhage.models.weights import load_weights, read_model, save_model
from hemorrhage.pipeline.config import ALL_FOLDS, Config
from hemorrhage.pipeline.console import Console
from hemorrhage.pipeline.hardness import forget_losses, match_losses, read_losses, write_losses
from hemorrhage.pipeline.history import forget_after, write_epoch
from hemorrhage.pipeline.predictions import build_predictions, match_truth
from hemorrhage.pipeline.runs import Run
from hemorrhage.pipeline.schedule import learning_rate_at
from hemorrhage.pipeline.segments import (
    Deadline,
    Progress,
    TimeIsUp,
    drop_checkpoints,
    fit_epoch,
    read_checkpoint,
)


@dataclass(frozen=True)
class FoldData:
    """The two sides of a fold, what its epochs draw, and where its slices come from."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    draw: Draw
    source: WindowedSource

    @property
    def rates(self) -> KeepRates:
        return keep_rates(self.draw)


def fit_fold(run: Run, config: Config, data: FoldData, deadline: Deadline, console: Console) -> int:
    """Trains the network of one fold into `run`, from where it was left, until config.epochs are there.

    Returns how many epochs that took. Raises TimeIsUp where the deadline passes before.
    """
    done = max(run.saved_epochs(), default=0)
    forget_after(run, done)
    with distribution_scope(config.batch, config.accumulate):
        model = start_model(run, config, done)
        for epoch in range(done, config.epochs):
            if deadline.is_over:
                raise TimeIsUp(f"epoch {epoch} of {config.epochs}")
            model = resize_model(model, config, epoch)
            _train_epoch(run, config, data, model, epoch, deadline, console)
    return config.epochs - done


def start_model(run: Run, config: Config, done: int) -> keras.Model:
    """Returns the network to go on with: of the checkpoint, of the last of `done` epochs, or a new one."""
    checkpoint = read_checkpoint(run, done)
    if checkpoint is not None:
        return read_model(checkpoint[1], compiled=True)
    if done:
        return _read_epoch(run, done)
    model = _build(config, 0)
    load_weights(model, config.model, find_weights(config.weights, _name_fold(run, config)), len(config.window_set))
    return model


def _name_fold(member: Run, config: Config) -> str:
    """The folder that the network of this fold has in a run over all folds."""
    return member.folder.name if config.fold == ALL_FOLDS else f"fold-{config.fold}"


def find_weights(weights: str, fold: str) -> str:
    """Returns what models.weights.load_weights takes: `weights`, or the last model of the run whose folder it names.

    Of a run over all folds that is the model in its folder `fold`. Raises HemorrhageError where there is no model.
    """
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        return weights
    if (folder / fold / "models").is_dir():
        folder = folder / fold
    epochs = Run(folder).saved_epochs()
    if not epochs:
        inner = [path.name for path in sorted(folder.glob("fold-*"))]
        advice = f"name one of its folds: {', '.join(inner)}" if inner else "name a run of 'train' that has epochs"
        raise HemorrhageError(f"{folder}: expected the models of a run in it, found none; {advice}.")
    return str(Run(folder).model_path(epochs[-1]))


def resize_model(model: keras.Model, config: Config, epoch: int) -> keras.Model:
    """Returns the model, built anew with all that it has learned where images of `epoch` (from 0) have another size."""
    return model if model.input_shape[1] == config.size_at(epoch) else carry_over(model, _build(config, epoch))


def _build(config: Config, epoch: int) -> keras.Model:
    return build_model(config.model, config.size_at(epoch), config.channels, config.dropout, config.seed)


def _read_epoch(run: Run, epoch: int) -> keras.Model:
    """The network as it was when the epoch had ended: an epoch is saved with the average in its place, if any."""
    model = read_model(run.model_path(epoch), compiled=True)
    swap_average(model)
    return model


def prepare_epoch(model: keras.Model, config: Config, epoch: int) -> None:
    """Freezes or frees the backbone at the epochs where that changes, and sets the epoch's learning rate."""
    if epoch in (0, config.freeze_epochs):
        set_backbone_trainable(model, trainable=epoch >= config.freeze_epochs)
        model.compile(optimizer=build_optimizer(config.ema, config.accumulate), loss=find_loss(config.loss))
    model.optimizer.learning_rate = learning_rate_at(config, epoch)


def _train_epoch(
    run: Run, config: Config, data: FoldData, model: keras.Model, epoch: int, deadline: Deadline, console: Console
) -> None:
    checkpoint = read_checkpoint(run, epoch)
    if checkpoint is None:
        prepare_epoch(model, config, epoch)
    begun = checkpoint[0] if checkpoint else Progress(epoch)
    losses = read_losses(run, epoch) if config.draw == "hard" else None
    batches = build_batches(config, data, epoch, losses)
    fitted = fit_epoch(run, config, model, batches, begun, deadline, console)
    with using_average(model):
        _finish_epoch(run, config, data, model, fitted, console)


def _finish_epoch(
    run: Run, config: Config, data: FoldData, model: keras.Model, fitted: Progress, console: Console
) -> None:
    epoch, started = fitted.epoch, time.monotonic()
    validation = _predict(model, config, data, data.held_out, "validation", console)
    if config.draw == "hard" and epoch + 1 < config.epochs:
        trained = _predict(model, config, data, data.train, "losses of training slices", console)
        write_losses(run, epoch + 1, trained, data.train)
    row = {
        "epoch": epoch + 1,
        "learning_rate": learning_rate_at(config, epoch),
        "slices": fitted.slices,
        "unreadable": len(fitted.unreadable),
        "seconds": round(fitted.seconds + time.monotonic() - started, 1),
        "images_per_second": round(fitted.slices / fitted.seconds, 1),
        "loss": fitted.loss,
    } | _measure(data, validation)
    _name_unreadable(run, dict(fitted.unreadable) | _errors_of(validation), console)
    write_table(run.validation_path(epoch + 1), validation)
    write_epoch(run, row)
    # The model comes last: an epoch counts as done when its model is there.
    save_model(model, run.model_path(epoch + 1))
    drop_checkpoints(run)
    _drop_old_epochs(run, config)
    forget_losses(run, epoch + 1)
    console.say(_describe_epoch(row, config))


def _errors_of(predictions: pd.DataFrame) -> dict[str, str]:
    bad = predictions[predictions["error"].notna()]
    return dict(zip(bad["image_id"], bad["error"], strict=True))


def _name_unreadable(run: Run, errors: dict[str, str], console: Console) -> None:
    """Adds slices that only decoding showed to be unreadable to the run's list, and warns of those that are new."""
    known = pd.read_csv(run.unreadable_path, dtype=str) if run.unreadable_path.is_file() else None
    new = {one: error for one, error in errors.items() if known is None or one not in set(known["image_id"])}
    if new:
        console.warn(
            f"{len(new)} slices could not be decoded and are left out; they are named in {run.unreadable_path}."
        )
        rows = pd.DataFrame(sorted(new.items()), columns=["image_id", "error"])
        with replacing(run.unreadable_path) as temporary:
            pd.concat([known, rows], ignore_index=True).to_csv(temporary, index=False)


def build_batches(config: Config, data: FoldData, epoch: int, losses: pd.DataFrame | None = None) -> SliceBatches:
    """Returns the batches of an epoch (from 0): its draw, augmented; HemorrhageError where the draw is empty.

    With `losses`, those of the training slices (see hardness.py), hard slices are drawn more often.
    """
    rows, weights = _draw(config, data, epoch, losses)
    if config.steps is not None:
        rows = rows[: config.steps * config.batch]
    if not len(rows):
        raise HemorrhageError(
            f"Expected slices to train on, the draw of epoch {epoch + 1} has none out of {len(data.train)}. Raise "
            "--set epoch_fraction, negative_keep or positive_keep, or give more data."
        )
    size = config.size_at(epoch)
    return SliceBatches(
        _source_at(data, config, size),
        data.train["image_id"].to_numpy()[rows],
        data.train[list(LABELS)].to_numpy()[rows],
        config.batch,
        Augmentation(find_recipe(config.augment), size, config.seed, Erasing(config.erase) if config.erase else None),
        epoch,
        config.workers,
        Mixing(config.mixup, config.cutmix, config.seed),
        weights,
    )


def _draw(
    config: Config, data: FoldData, epoch: int, losses: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if losses is None:
        return draw_epoch(data.train, data.draw, config.seed, epoch), None
    known = match_losses(losses, data.train)
    return draw_hard(data.train, known, data.draw.fraction, config.seed, epoch)


def _source_at(data: FoldData, config: Config, size: int) -> WindowedSource:
    return data.source if size == config.size else data.source.resized(size)


def _predict(
    model: keras.Model, config: Config, data: FoldData, slices: pd.DataFrame, what: str, console: Console
) -> pd.DataFrame:
    bar = console.bar(len(slices), what)
    networks = [Member(model, 1.0, data.rates)]
    source = _source_at(data, config, model.input_shape[1])
    ids = slices["image_id"].to_numpy()
    try:
        predicted = predict_slices(networks, source, ids, (IDENTITY,), config.batch, config.workers, bar.update)
    finally:
        bar.close()
    return build_predictions(slices, predicted)


def _measure(data: FoldData, validation: pd.DataFrame) -> dict[str, float]:
    truth, probability = match_truth(validation, data.held_out)
    losses = label_log_losses(truth, probability)
    return {
        "validation": weighted_log_loss(truth, probability),
        "constant": constant_score(truth, data.train[list(LABELS)].mean().to_numpy()),
    } | {f"validation_{label}": float(loss) for label, loss in zip(LABELS, losses, strict=True)}


def _describe_epoch(row: dict[str, float], config: Config) -> str:
    omitted = f"  {row['unreadable']} unreadable slices left out" if row["unreadable"] else ""
    return (
        f"epoch {row['epoch']}/{config.epochs}  loss {row['loss']:.4f}  validation weighted log loss "
        f"{row['validation']:.4f} (constant {row['constant']:.4f})  {row['seconds']:.0f} s, "
        f"{row['images_per_second']:.0f} images/s{omitted}"
    )


def _drop_old_epochs(run: Run, config: Config) -> None:
    kept = {epoch for epoch, _ in config.averaged}
    for epoch in run.saved_epochs()[:-1]:
        if epoch not in kept:
            run.model_path(epoch).unlink()
            run.validation_path(epoch).unlink(missing_ok=True)
