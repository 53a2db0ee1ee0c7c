import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import keras
import pytest

from tests.bench import gpu
from tests.bench.feed import Effort
from tests.bench.gpu import Feed, Rates, Row, Sweep, build_compiled, build_config, describe_best, describe_row, main

SWEEP = Sweep(
    models=("compact",),
    size=128,
    batches=(4, 8),
    precision="mixed_float16",
    jit="off",
    workers=2,
    rounds=1,
    seconds=0.1,
    patients=2,
)


@pytest.fixture(autouse=True)
def session() -> Iterator[None]:
    """Leaves Keras with the precision policy that it starts with."""
    yield
    keras.utils.clear_session()


def exhaustion() -> Exception:
    """Returns what the backend in use raises where memory is exhausted."""
    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17 bytes."
    kind = gpu.memory_errors()[0]
    return kind(None, None, text) if keras.backend.backend() == "tensorflow" else kind(text)


def measure_first(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Row:
    """Returns the row of a measurement that raises `error`."""

    def fail(*_: object) -> Rates:
        raise error

    monkeypatch.setattr(gpu, "measure_rates", fail)
    # Nothing is fed, so no store has to be made.
    return gpu.measure_row(object.__new__(Feed), build_config("compact", 4, SWEEP), SWEEP)


def test_a_machine_without_a_gpu_is_told_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "count_gpus", lambda: 0)
    assert main([]) == 2
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert f"{keras.backend.backend()} finds no GPU" in printed


def test_the_bench_prints_a_row_a_batch_and_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEMORRHAGE_REAL_DATA", raising=False)
    monkeypatch.setattr(gpu, "Effort", partial(Effort, phantom_size=64))
    sizes = ["--models", "compact", "--size", "128", "--batches", "4", "--patients", "2"]
    effort = ["--precision", "float32", "--workers", "2", "--rounds", "1", "--seconds", "0.1"]
    assert main(["--allow-cpu", *sizes, *effort]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines if line.startswith("| compact")] == ["4"]
    assert len([line for line in lines if line.startswith("- compact, best at batch ")]) == 1
    report = json.loads((tmp_path / "bench-gpu.json").read_text())
    assert report["command"][-2:] == ["--seconds", "0.1"]
    assert report["packages"].keys() >= {keras.backend.backend(), "keras", "numpy", "blosc2"}
    assert [(row["model"], row["batch"]) for row in report["rows"]] == [("compact", 4)]
    for row in report["rows"]:
        assert min(row["rates"].values()) > 0
        assert row["cost"] == pytest.approx(1 - row["rates"]["fed"] / row["rates"]["alone"])


def test_the_network_has_the_precision_and_the_compilation_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Keras refuses to compile once any test of this process has asked TensorFlow for determinism.
    monkeypatch.setattr("keras.src.trainers.trainer.model_supports_jit", lambda model: True)
    model = build_compiled(build_config("compact", 4, SWEEP), "on")
    assert model.get_layer("stem").compute_dtype == "float16"
    assert model.get_layer("probabilities").compute_dtype == "float32"
    assert all(layer.trainable for layer in model.layers)
    assert model.jit_compile is True
    assert build_compiled(build_config("compact", 4, SWEEP), "off").jit_compile is False


def test_a_batch_that_does_not_fit_is_a_row_without_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    row = measure_first(monkeypatch, exhaustion())
    assert row == Row("compact", 4, False, None)
    assert describe_row(row) == "| compact | 4 | off | out of memory | - | - | - |"
    assert describe_best([row], "compact") == "- compact: no batch fits in memory"


def test_another_error_is_none_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = gpu.memory_errors()[0] if keras.backend.backend() == "jax" else RuntimeError
    with pytest.raises(kind, match="a fault of another kind"):
        measure_first(monkeypatch, kind("INTERNAL: a fault of another kind"))


def test_the_target_is_held_against_the_batch_where_the_step_is_fastest() -> None:
    near, far = Rates(alone=1000, feed=5000, fed=950), Rates(alone=2000, feed=5000, fed=1700)
    assert (near.cost, far.cost) == (pytest.approx(0.05), pytest.approx(0.15))
    rows = [Row("compact", 16, True, near), Row("compact", 32, True, far), Row("compact", 64, True, None)]
    assert describe_best(rows[:1], "compact").endswith("costs 5.0%; target under 10%: reached")
    assert describe_best(rows, "compact").startswith("- compact, best at batch 32")
    assert describe_best(rows, "compact").endswith("costs 15.0%; target under 10%: NOT reached")


def test_a_feed_slower_than_the_step_misses_the_target_whatever_the_queue_hid() -> None:
    assert not Rates(alone=1000, feed=800, fed=1000).reaches_target
