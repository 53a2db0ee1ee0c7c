"""The learning rate over the course of a training, a step at a time."""

import math

from hemorrhage.pipeline.config import Config


def learning_rate_at(config: Config, epoch: int, step: int = 0, steps: int = 1) -> float:
    """Returns the learning rate of one of the `steps` steps of an epoch, both counted from 0.

    Frozen epochs have a rate of their own. Then config.schedule "decay" multiplies the rate after each epoch;
    "cosine" lowers it step by step along half a cosine (Loshchilov and Hutter, SGDR, 2017), once for each snapshot.
    Over the first config.warm_up epochs the rate rises in equal steps, whichever follows (Goyal et al., 2017).
    """
    if epoch < config.freeze_epochs:
        return config.freeze_learning_rate
    position = epoch - config.freeze_epochs + step / steps
    risen = min(1.0, (position + 1 / steps) / config.warm_up) if position < config.warm_up else 1.0
    if config.schedule == "cosine":
        return config.learning_rate * risen * _cosine_share(config, position)
    return config.learning_rate * risen * config.learning_rate_decay ** (epoch - config.freeze_epochs)


def _cosine_share(config: Config, position: float) -> float:
    """The share of the highest rate at `position`, in epochs since the freeze; 1 where a cycle begins."""
    length = config.cycle_epochs
    cycle = int(position // length)
    begin, end = max(cycle * length, config.warm_up), (cycle + 1) * length
    return 0.5 + 0.5 * math.cos(math.pi * max(position - begin, 0) / (end - begin))
