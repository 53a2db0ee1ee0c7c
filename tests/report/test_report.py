"""The page as a whole: what it needs, what it says, who can read it, and what is refused."""

import contextlib
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hemorrhage.report.page as page_module
from hemorrhage.data.labels import LABELS
from hemorrhage.data.table import write_table
from hemorrhage.errors import HemorrhageError
from hemorrhage.files import write_json
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.runs import hash_folds
from hemorrhage.report.material import Material, read_material
from hemorrhage.report.report import write_report
from tests.report.runs import make_predictions, make_probabilities, make_slices, write_run


class Reader(HTMLParser):
    """What a screen reader, and a browser without a network, would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def require_readable(text: str) -> Reader:
    """Returns the page as read, after what every page must have."""
    read = Reader(text)
    assert text.startswith("<!doctype html>") and read.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(len(read.all(tag)) == 1 for tag in ("header", "nav", "main", "footer", "title"))
    assert all(image.get("alt") for image in read.all("img"))
    assert all(chart.get("aria-label") or chart.get("aria-hidden") == "true" for chart in read.all("svg"))
    assert all(cell.get("scope") in ("row", "col") for cell in read.all("th"))
    assert not read.all("script") and not read.all("link")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    ids = [str(attributes["id"]) for _, attributes in read.tags if "id" in attributes]
    links = [str(link["href"]).removeprefix("#") for link in read.all("a")]
    assert set(links) <= set(ids) and len(ids) == len(set(ids))
    assert text.count("Research use only. Not for clinical decisions.") == 2
    return read


def write_and_read(name: str, **others: object) -> str:
    out = write_report(name, None, others.get("beside", []), others.get("out"), SILENT)  # type: ignore[arg-type]
    return out.read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Returns the page of a run of its own, without an input, test slices or other runs."""
    with contextlib.chdir(tmp_path_factory.mktemp("page")):
        slices = make_slices()
        write_run("first", slices, make_probabilities(slices))
        return write_and_read("first", out=Path("new/page.html"))


def test_a_page_can_be_read_by_all_and_needs_no_network(page: str) -> None:
    read = require_readable(page)
    assert len(page) < 1_000_000
    assert {"ROC, precision and recall", "Reliability", "Along a series", "Unreadable slices"} <= set(read.words)
    assert "nan" not in re.sub(r"<style>.*</style>", "", page).lower().split()


@pytest.mark.parametrize(
    "words",
    [
        "Slices are shown where their folder is named by --input.",
        "There are no test predictions",
        "learned from is not kept",
        "Other runs stand here when they are named by --beside.",
        "None: every slice was read",
        "Whether slices have the same pixels is not known",
        "How scanners stored these slices is not known",
    ],
)
def test_parts_without_data_say_so(page: str, words: str) -> None:
    assert words in page


def test_text_of_the_data_is_no_markup(workplace: Path) -> None:
    slices = make_slices()
    slices["patient_id"] = slices["patient_id"].str.replace("ID_", "<script>alert('1')</script>")
    run = write_run("first", slices, make_probabilities(slices), {"commit": "<img src=x onerror=alert(1)>"})
    pd.DataFrame({"image_id": ["<b>"], "error": ["\"'><svg onload=x>"]}).to_csv(run.unreadable_path, index=False)
    text = write_and_read("first")
    require_readable(text)
    assert "<script" not in text and "<img src=x" not in text and "<svg onload" not in text and "<b>" not in text
    assert "&lt;script&gt;alert(" in text


def test_a_page_does_not_grow_with_the_slices(workplace: Path) -> None:
    sizes = []
    for name, patients in (("small", 12), ("large", 48)):
        slices = make_slices(patients)
        write_run(name, slices, make_probabilities(slices))
        sizes.append(len(write_and_read(name)))
    assert sizes[1] < 1.5 * sizes[0]


def test_test_slices_and_unreadable_ones_are_in_the_page(workplace: Path, slices: pd.DataFrame) -> None:
    run = write_run("first", slices, make_probabilities(slices))
    table = make_predictions(slices.assign(image_id="T" + slices["image_id"]), make_probabilities(slices, 1))
    table.loc[0, "error"], table.loc[0, list(LABELS)] = "cut short", np.nan
    write_table(run.test_path, table)
    text = write_and_read("first")
    assert "test (23 slices)" in text and "cut short" in text


def test_a_blend_stands_beside_its_members_even_where_one_is_gone(workplace: Path, slices: pd.DataFrame) -> None:
    first = write_run("first", slices, make_probabilities(slices))
    both = write_run("both", slices, make_probabilities(slices, 3))
    both.config_path.unlink()
    described = {"runs": ["first", "lost"], "how": "mean", "folds_hash": hash_folds(first), "weights": None}
    write_json(both.blend_json_path, described)
    text = write_and_read("both")
    require_readable(text)
    assert "made of first, lost" in text and "No longer there: lost" in text
    assert "Course of first" in text
    assert re.search(r'<th scope="row">first</th><td class="number">0\.\d{4} \(', text)


def test_one_patient_alone_is_said_to_flatter(workplace: Path) -> None:
    slices = make_slices(patients=1)
    write_run("first", slices, make_probabilities(slices))
    assert "which flatters" in write_and_read("first")


def test_labels_that_nobody_has_are_no_error(workplace: Path) -> None:
    slices = make_slices()
    slices[list(LABELS)] = 0
    write_run("first", slices, make_probabilities(slices))
    text = write_and_read("first")
    require_readable(text)
    assert "there are no curves" in text


def test_what_cannot_be_reported_is_refused_in_one_line(material: Material, slices: pd.DataFrame) -> None:
    with pytest.raises(HemorrhageError, match="expected a run"):
        read_material("second")
    run = write_run("silent", slices, make_probabilities(slices))
    run.out_of_fold_path.unlink()
    with pytest.raises(HemorrhageError, match="hemorrhage predict silent INPUT"):
        read_material("silent")
    wrong = slices.assign(patient_id=slices["patient_id"].iloc[::-1].to_numpy())
    write_table(material.run.out_of_fold_path, make_predictions(wrong, make_probabilities(slices)))
    with pytest.raises(HemorrhageError, match="another patient than in folds"):
        read_material("first")


def test_runs_that_cannot_be_compared_are_refused(material: Material, slices: pd.DataFrame) -> None:
    other = slices.assign(image_id="X" + slices["image_id"])
    write_run("elsewhere", other, make_probabilities(other))
    with pytest.raises(HemorrhageError, match="none of these 24"):
        write_and_read("first", beside=["elsewhere"])
    turned = slices.assign(any=1 - slices["any"])
    write_run("turned", turned, make_probabilities(turned))
    with pytest.raises(HemorrhageError, match="other labels"):
        write_and_read("first", beside=["turned"])


def test_out_is_no_folder(material: Material, workplace: Path) -> None:
    with pytest.raises(HemorrhageError, match="this is a folder"):
        write_report("first", None, [], workplace, SILENT)


def test_colors_can_be_told_from_their_ground() -> None:
    style = page_module._STYLE.read_text()
    schemes = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    assert len(schemes) == 3  # light, dark, print
    for scheme in schemes:
        color = dict(re.findall(r"--(\w+): (#\w+);", scheme))
        for name in ("text", "quiet", "link", "warn"):
            for ground in ("ground", "raised"):
                assert contrast(color[name], color[ground]) >= 4.5, (name, ground)
        # Lines and marks: WCAG 2.2, 1.4.11.
        assert min(contrast(color[f"c{place}"], color["ground"]) for place in range(7)) >= 3
        strongest = mix(color["heat"], color["ground"], 0.54)
        assert contrast(color["text"], strongest) >= 4.5


def mix(color: str, ground: str, share: float) -> str:
    pairs = zip(channels(color), channels(ground), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def channels(color: str) -> list[int]:
    digits = color[1:] if len(color) == 7 else "".join(2 * one for one in color[1:])
    return [int(digits[place : place + 2], 16) for place in (0, 2, 4)]


def contrast(first: str, second: str) -> float:
    """Returns the contrast of two colors as WCAG 2.2 defines it."""
    shades = sorted((luminance(first), luminance(second)))
    return (shades[1] + 0.05) / (shades[0] + 0.05)


def luminance(color: str) -> float:
    shares = [one / 255 for one in channels(color)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
