import pytest

from hemorrhage.ct.windows import BONE, BRAIN, SOFT_TISSUE, SUBDURAL
from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.config import config_from_json, config_to_json, resolve_config
from hemorrhage.pipeline.settings import parse_settings


def test_defaults_then_model_then_preset_then_flags() -> None:
    assert resolve_config().model == "effb4"
    assert resolve_config().window_set == (BRAIN, SUBDURAL, BONE)
    assert resolve_config("default", {"model": "compact"}).weights == "none"
    assert resolve_config("default", {"model": "compact", "weights": "a.keras"}).weights == "a.keras"
    assert resolve_config("original-resnet50").batch == 32
    assert resolve_config("original-resnet50", {"batch": "64"}).batch == 64


def test_the_original_resnet50_is_as_published() -> None:
    config = resolve_config("original-resnet50")
    assert (config.model, config.size, config.batch, config.epochs) == ("resnet50", 224, 32, 5)
    assert (config.learning_rate, config.learning_rate_decay, config.augment) == (5e-4, 0.8, "none")
    assert (config.draw, config.negative_keep, config.positive_keep) == ("fractions", 0.35, 0.5)
    assert config.average_epochs == (1, 2, 4, 6)
    assert config.loss == "bce"
    assert config.window_set == (BRAIN, SUBDURAL, SOFT_TISSUE)


def test_the_original_effb4_is_as_published() -> None:
    config = resolve_config("original-effb4")
    assert (config.model, config.size, config.batch, config.epochs) == ("effb4", 256, 16, 6)
    assert (config.learning_rate, config.dropout, config.augment) == (1e-4, 0.2, "original")
    assert (config.draw, config.epidural_copies, config.epoch_fraction) == ("fractions", 1, 1 / 6)
    assert config.loss == "bce"
    assert config.window_set == (BRAIN, SUBDURAL, SOFT_TISSUE)


def test_text_of_the_command_line_is_converted_by_kind() -> None:
    config = resolve_config(
        "default",
        parse_settings(
            ["average_epochs=1,3", "steps=none", "deterministic=yes", "dropout=0.1", "learning-rate=1e-3"], {}
        ),
    )
    assert config.average_epochs == (1.0, 3.0)
    assert config.steps is None
    assert config.deterministic is True
    assert (config.dropout, config.learning_rate) == (0.1, 1e-3)


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        (["learnin_rate=1"], "Did you mean learning_rate"),
        (["zzz=1"], "Unknown setting 'zzz'"),
        (["epochs=2.5"], "epochs to be a whole number"),
        (["epochs=many"], "epochs to be a whole number"),
        (["epochs=0"], "epochs to be a value from 1"),
        (["dropout=x"], "dropout to be a number"),
        (["dropout=nan"], "dropout to be a value"),
        (["deterministic=perhaps"], "true or false"),
        (["fold=5"], "fold to be 'all' or a number from 0 to 4"),
        (["fold=-1"], "fold to be"),
        (["model=resnet51"], "model to be one of compact, resnet18"),
        (["loss=focal"], "loss to be one of weighted_bce, bce"),
        (["draw=upside-down"], "draw to be one of natural, balance-any, fractions"),
        (["precision=float8"], "precision"),
        (["average_epochs=0,1"], "weights above 0"),
        (["windows=brian"], "brain, subdural"),
        (["tta=left"], "identity, mirror"),
        (["augment=heavy"], "none, original, geometric"),
        (["epochs"], "--set key=value"),
    ],
)
def test_bad_settings_are_refused(settings: list[str], cause: str) -> None:
    with pytest.raises(HemorrhageError, match=cause):
        resolve_config("default", parse_settings(settings, {}))


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(HemorrhageError, match="original-resnet50, original-effb4"):
        resolve_config("winner")


@pytest.mark.parametrize("preset", ["default", "original-resnet50", "original-effb4", "demo"])
def test_a_config_survives_json(preset: str) -> None:
    config = resolve_config(preset)
    assert config_from_json(config_to_json(config)) == config


def test_what_is_given_twice_is_refused() -> None:
    with pytest.raises(HemorrhageError, match="Expected epochs once, received 2 and --set epochs=0"):
        parse_settings(["epochs=0"], {"epochs": 2})
    with pytest.raises(HemorrhageError, match="Expected units once, received '4' and --set units=8"):
        parse_settings(["units=4", "units=8"], {})
