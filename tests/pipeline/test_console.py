from hemorrhage.pipeline.console import LineBar, unit_of


def test_a_log_gets_a_line_from_time_to_time() -> None:
    lines: list[str] = []
    LineBar(1200, "slices", lines.append, seconds=60).update(1000)
    assert lines == []
    LineBar(1200, "slices", lines.append, seconds=0).update(1000)
    assert lines == ["slices: 1,000 of 1,200 after 0 min"]


def test_a_bar_counts_what_its_title_names() -> None:
    titles = ("headers of stage_2_train", "held-out slices of fold 0", "epoch 1/4")
    assert [unit_of(what) for what in titles] == ["headers", "slices", "steps"]
