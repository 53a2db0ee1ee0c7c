"""The page from files to answers, by the network that ships; one server for all of these tests."""

import csv
import gzip
import io
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
from starlette.testclient import TestClient

from hemorrhage.ct.writing import write_dataset
from hemorrhage.data.batches import SliceBatches
from hemorrhage.data.calibration import Calibration, Scaling
from hemorrhage.data.labels import LABELS
from hemorrhage.data.sampling import correct_resampling
from hemorrhage.data.source import DicomSource
from hemorrhage.data.studies import LearnedAnswer
from hemorrhage.data.table import scan_slices
from hemorrhage.pipeline.blend import BlendPredictor, Recipe
from hemorrhage.pipeline.console import SILENT
from hemorrhage.pipeline.inputs import build_images
from hemorrhage.pipeline.predict import predict
from hemorrhage.pipeline.predictors import NetworkPredictor
from hemorrhage.pipeline.slices import slice_paths
from hemorrhage.web.app import create_app
from hemorrhage.web.limits import WARNING, Limits
from hemorrhage.web.network import Network, answer_whole, take_small_batches
from hemorrhage.web.safety import Guard, name_hosts
from hemorrhage.web.service import Service
from hemorrhage.web.uploads import build_table
from tests.web.making import build_slice, draw_ellipses, make_zip, write_study

LIMITS = Limits(bytes=3_000_000, files=40, unpacked_bytes=2_000_000)
URL = "http://127.0.0.1:8765"
Named = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Returns a server's state, with the network that ships."""
    service = Service(Network("@phantom"), LIMITS, parent=tmp_path_factory.mktemp("served"))
    service.start()
    yield service
    service.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Returns the files of a head of five slices."""
    return write_study(tmp_path_factory.mktemp("study"), StudyDescription="<b>Head</b>", SeriesDescription="5MM")


def visit(service: Service, token: str | None = None) -> TestClient:
    """Returns the client of a new visitor, without a session where there is a token."""
    guard = Guard(name_hosts("127.0.0.1"), token, LIMITS.json_bytes)
    client = TestClient(create_app(service, guard), base_url=URL, headers={"x-hemorrhage": "1"})
    if token is None:
        assert client.post("/api/session").status_code == 204
    return client


def send(client: TestClient, files: Named) -> dict[str, Any]:
    """Returns how an upload ended."""
    answer = client.post("/api/uploads", files=[("files", file) for file in files])
    assert answer.status_code == 202, answer.text
    for _ in range(1200):
        upload: dict[str, Any] = client.get(f"/api/uploads/{answer.json()['upload']}").json()
        if upload["state"] in ("done", "failed"):
            return upload
        time.sleep(0.05)
    raise AssertionError(upload)


def name_all(paths: list[Path]) -> Named:
    """Returns names and contents of files."""
    return [(path.name, path.read_bytes()) for path in paths]


def bytes_of(dataset: pydicom.Dataset, tmp_path: Path) -> bytes:
    """Returns a data set as a file's bytes."""
    write_dataset(tmp_path / "one", dataset)
    return (tmp_path / "one").read_bytes()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    """Returns a visitor."""
    return visit(service)


@pytest.fixture(scope="module")
def shown(client: TestClient, study: list[Path]) -> dict[str, Any]:
    """Returns the study that the visitor sent, as the page gets it."""
    upload = send(client, name_all(study))
    assert (upload["state"], upload["left_out"], len(upload["studies"])) == ("done", [], 1)
    answer: dict[str, Any] = client.get(f"/api/studies/{upload['studies'][0]}").json()
    return answer


def test_the_page_says_what_it_is(client: TestClient) -> None:
    about = client.get("/api/about").json()
    assert (about["run"], about["synthetic"], about["calibrated"]) == ("@phantom", True, False)
    assert about["warning"] == WARNING
    assert about["limits"] == {"bytes": 3_000_000, "files": 40, "pixels": LIMITS.pixels}
    assert about["labels"] == list(LABELS)


def test_a_study_has_its_facts_and_slices_from_below(shown: dict[str, Any]) -> None:
    assert (shown["state"], shown["slices"], shown["description"]) == ("done", 5, "<b>Head</b>")
    (series,) = shown["series"]
    assert series["why"] == "axial head CT, 5 slices 5 mm apart"
    assert [one["z_mm"] for one in series["slices"]] == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert series["orientation"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert (series["rows"], series["columns"], series["pixel_spacing_mm"]) == (128, 128, [1.8, 1.8])
    assert ["Slices apart", "5 mm"] in shown["facts"]


def test_the_study_answer_is_its_highest_slice_and_says_so(shown: dict[str, Any]) -> None:
    slices = [one["probabilities"] for one in shown["series"][0]["slices"]]
    assert (shown["answer_kind"], shown["calibrated"]) == ("max", False)
    assert shown["answer"] == {label: max(one[label] for one in slices) for label in LABELS}
    assert shown["urgency"] == shown["answer"]["any"]


def test_page_predict_and_training_batches_say_the_same(
    service: Service, shown: dict[str, Any], study: list[Path], tmp_path: Path
) -> None:
    page = np.array([[one["probabilities"][label] for label in LABELS] for one in shown["series"][0]["slices"]])
    table = pd.read_csv(predict("@phantom", study[0].parent, None, tmp_path, SILENT)[0])
    assert page == pytest.approx(table[list(LABELS)].to_numpy(), abs=1e-5)
    predictor = service.network.predictor
    assert isinstance(predictor, NetworkPredictor)
    ids = np.array([str(number) for number in range(5)])
    slices = pd.DataFrame({"image_id": ids, "patient_id": "p", "series_id": "s", "z_mm": np.arange(5) * 5.0})
    config = predictor.config
    source = DicomSource(dict(zip(ids, study, strict=True)), config.size, config.crop)
    for batch in (1, 2, 5):
        batches = SliceBatches(build_images(source, slices, config), ids, np.zeros((5, 6)), batch)
        images = np.concatenate([batches[number][0] for number in range(len(batches))])
        (members,) = predictor.networks.values()
        views = [images, images[:, :, ::-1]]
        means = [
            correct_resampling(members[0].model.predict(view, batch_size=batch, verbose=0), members[0].rates)
            for view in views
        ]
        assert page == pytest.approx(np.mean(means, axis=0), abs=1e-5)


def test_context_and_blends_say_the_same_of_files_and_of_the_page(
    service: Service, client: TestClient, shown: dict[str, Any], study: list[Path]
) -> None:
    alone = service.network.explainer.predictor
    assert isinstance(alone, NetworkPredictor)
    beside = replace(alone, config=replace(alone.config, context="mean"))
    blended = BlendPredictor([alone, beside], Recipe("mean"))
    files = scan_slices(study)
    session = service.sessions.find(client.cookies["hemorrhage"])
    assert session is not None
    series = build_table(session.series(shown["series"][0]["series"]))
    values = []
    for predictor in (beside, blended):
        of_files = predictor.predict(files, lambda slices, size, crop: DicomSource(slice_paths(slices), size, crop), "")
        of_page = take_small_batches(predictor).predict(series.slices, series.open, "")
        values.append(of_page[list(LABELS)].to_numpy())
        assert values[-1] == pytest.approx(of_files[list(LABELS)].to_numpy(), abs=1e-5)
    assert np.abs(values[0] - values[1]).max() > 1e-4


def test_a_whole_is_calibrated_or_learned_where_the_run_can() -> None:
    predicted = np.array([[0.1] * 6, [0.4] * 6, [np.nan] * 6])
    halved = Calibration("temperature", (Scaling(1.0, float(np.log(0.5))),) * 6, clip=0.1)
    plain = answer_whole(predicted, None, None)
    assert (plain.kind, plain.is_calibrated, plain.calibrated) == ("max", False, None)
    assert plain.whole == pytest.approx([0.4] * 6)
    shown = answer_whole(predicted, halved, None)
    # Odds of 2/3 become 1/3, and odds of 1/9 become 1/18, which the clip raises to a tenth.
    assert shown.whole == pytest.approx([0.25] * 6)
    assert shown.calibrated is not None
    assert shown.calibrated[:, 0] == pytest.approx([0.1, 0.25, np.nan], nan_ok=True)
    assert (shown.kind, shown.is_calibrated) == ("max", True)
    # Of the three features the highest alone, as log odds divided by 4, times 4: the highest itself.
    coefficients = np.array([[4.0, 0.0, 0.0]] * 6)
    learned = answer_whole(predicted, halved, LearnedAnswer(coefficients, np.zeros(6)))
    assert (learned.kind, learned.is_calibrated) == ("learned", True)
    assert learned.whole == pytest.approx([0.4] * 6)
    nothing = answer_whole(predicted[2:], halved, None)
    assert np.isnan(nothing.whole).all()


def test_pixels_are_the_hu_of_the_file(client: TestClient, shown: dict[str, Any]) -> None:
    series = shown["series"][0]["series"]
    answer = client.get(f"/api/series/{series}/slices/2/pixels")
    assert (answer.headers["x-rows"], answer.headers["x-columns"]) == ("128", "128")
    expected = draw_ellipses()
    expected[60:68, 50:70] = 70
    # The client has undone the compression already.
    assert np.array_equal(np.frombuffer(answer.content, "<i2").reshape(128, 128), expected)
    assert client.get(f"/api/series/{series}/slices/5/pixels").status_code == 404


def test_saliency_has_the_slice_s_size_and_its_probability(client: TestClient, shown: dict[str, Any]) -> None:
    series = shown["series"][0]
    path = f"/api/series/{series['series']}/slices/2/saliency"
    answer = client.get(f"{path}/any", params={"method": "grad-cam++"})
    assert len(answer.content) == 128 * 128
    said = float(answer.headers["x-label-probability"])
    assert said == pytest.approx(series["slices"][2]["probabilities"]["any"], rel=1e-6)
    assert client.get(f"{path}/any").content != client.get(f"{path}/epidural").content
    assert client.get(f"{path}/brain").status_code == 400
    assert client.get(f"{path}/any?method=guess").status_code == 400


def test_csv_has_every_slice_and_the_warning_and_no_patient(client: TestClient, shown: dict[str, Any]) -> None:
    answer = client.get(f"/api/studies/{shown['study']}/export.csv")
    assert "attachment" in answer.headers["content-disposition"]
    first, head, *rows = csv.reader(io.StringIO(answer.text))
    assert WARNING in first[0]
    table = pd.DataFrame(rows, columns=head)
    assert table["what"].tolist() == ["study", *["slice"] * 5]
    expected = [one["probabilities"]["any"] for one in shown["series"][0]["slices"]]
    assert table["p_any"].astype(float).tolist()[1:] == pytest.approx(expected, rel=1e-6)
    assert "secret" not in answer.text.lower()


def test_reports_are_read_back_with_the_patient_and_the_answers(
    client: TestClient, shown: dict[str, Any], tmp_path: Path
) -> None:
    content = client.get(f"/api/studies/{shown['study']}/export.sr.dcm").content
    report = pydicom.dcmread(io.BytesIO(content))
    if program := shutil.which("dsrdump"):
        (tmp_path / "report.dcm").write_bytes(content)
        dumped = subprocess.run([program, str(tmp_path / "report.dcm")], capture_output=True, text=True, check=True)
        assert (dumped.stderr, dumped.stdout.count("Probability of hemorrhage, any")) == ("", 6)
    assert (report.Modality, report.PatientID, str(report.PatientName)) == ("SR", "SECRET-ID", "Secret^Name")
    assert (report.StudyInstanceUID, report.SeriesDescription, report.VerificationFlag) == (
        "1.2.3",
        WARNING,
        "UNVERIFIED",
    )
    numbers = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for group in report.ContentSequence[-1].ContentSequence
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    ]
    slices = [list(one["probabilities"].values()) for one in shown["series"][0]["slices"]]
    assert numbers == pytest.approx([*shown["answer"].values(), *np.ravel(slices)], abs=1e-6)
    assert content.count(WARNING.encode()) >= 7
    references = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert sorted(one.ReferencedSOPInstanceUID for one in references) == [f"1.2.3.1.{number}" for number in range(1, 6)]


def test_captures_are_read_back_with_the_warning_in_their_pixels(client: TestClient, shown: dict[str, Any]) -> None:
    content = client.get(f"/api/studies/{shown['study']}/export.sc.dcm").content
    capture = pydicom.dcmread(io.BytesIO(content))
    assert (capture.SOPClassUID.name, capture.PatientID) == ("Secondary Capture Image Storage", "SECRET-ID")
    assert (capture.ImageComments, capture.SeriesDescription) == (WARNING, WARNING)
    band, image = capture.pixel_array[:-512], capture.pixel_array[-512:]
    # The first of the lines is the warning; below the band the brain at 35 HU is grey.
    assert (band[: len(band) // 9] > 128).sum() > 300
    assert image[400, 256] == round((35 - 0) * 255 / 80)


def test_a_zip_and_what_cannot_be_read_beside_it(service: Service, study: list[Path], tmp_path: Path) -> None:
    client = visit(service)
    cut = build_slice(7, SOPInstanceUID="1.2.3.1.77")
    scout = build_slice(8, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID="1.2.3.9")
    magnet = build_slice(9, Modality="MR", SeriesInstanceUID="1.2.3.8", SeriesNumber=5)
    index = build_slice(10)
    del index.Modality, index.StudyInstanceUID, index.SeriesInstanceUID
    members = [
        ("DICOMDIR", bytes_of(index, tmp_path)),
        *[(f"../study/{name}", content) for name, content in name_all(study)],
        ("again.dcm", study[0].read_bytes()),
        ("cut.dcm", bytes_of(cut, tmp_path)[:-500]),
        ("readme.txt", b"<script>alert(1)</script>"),
        ("__MACOSX/._a", b"x"),
        ("scout", bytes_of(scout, tmp_path)),
        ("mr", bytes_of(magnet, tmp_path)),
    ]
    upload = send(client, [("study.zip", make_zip(members))])
    why = {one["file"]: one["why"] for one in upload["left_out"]}
    assert set(why) == {"DICOMDIR", "again.dcm", "cut.dcm", "readme.txt", "__MACOSX/._a"}
    assert "index of a medium" in why["DICOMDIR"]
    assert "same image" in why["again.dcm"]
    assert "cut short" in why["cut.dcm"]
    assert "not a DICOM file" in why["readme.txt"]
    (row,) = client.get("/api/worklist").json()
    assert (row["state"], row["series"], row["slices"]) == ("done", 3, 6)
    found = client.get(f"/api/studies/{row['study']}").json()
    assert [one["error"] is None for one in found["series"][0]["slices"]] == [True] * 5 + [False]
    whys = [one["why"] for one in found["series"] if not one["chosen"]]
    assert any("localizer" in one for one in whys)
    assert any("MR images" in one for one in whys)


def test_a_chest_whose_header_says_nothing_is_known_by_its_pixels(service: Service, tmp_path: Path) -> None:
    client = visit(service)
    lungs = [bytes_of(build_slice(number, draw_ellipses(inside_hu=-800)), tmp_path) for number in range(5)]
    send(client, [(str(number), content) for number, content in enumerate(lungs)])
    (row,) = client.get("/api/worklist").json()
    assert (row["state"], row["urgency"]) == ("failed", None)
    (series,) = client.get(f"/api/studies/{row['study']}").json()["series"]
    assert "as much air as a chest" in series["why"]
    assert client.get(f"/api/studies/{row['study']}/export.csv").status_code == 409


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([("a", b"x" * 3_000_001)], 413, "More than 2.86 MB"),
        ([(str(number), b"") for number in range(41)], 413, "More than 40 files"),
    ],
)
def test_too_much_is_refused_and_nothing_of_it_stays(service: Service, files: Named, status: int, words: str) -> None:
    client = visit(service)
    answer = client.post("/api/uploads", files=[("files", file) for file in files])
    assert answer.status_code == status
    assert words in answer.json()["error"]
    session = service.sessions.find(client.cookies["hemorrhage"])
    assert session is not None
    assert list(session.folder.iterdir()) == []
    assert session.uploads == {}


def test_a_zip_that_unpacks_to_too_much_fails_with_words(service: Service) -> None:
    upload = send(visit(service), [("z.zip", make_zip([("a", b"\0" * 2_500_000)]))])
    assert upload["state"] == "failed"
    assert "unpacks to 2.38 MB" in upload["error"]


def test_two_people_see_their_own_and_erasing_takes_all_of_one(service: Service, study: list[Path]) -> None:
    one, two = visit(service), visit(service)
    first, second = send(one, name_all(study[:1])), send(two, name_all(study[:2]))
    assert [len(client.get("/api/worklist").json()) for client in (one, two)] == [1, 1]
    path = f"/api/studies/{first['studies'][0]}"
    assert (one.get(path).status_code, two.get(path).status_code) == (200, 404)
    series = one.get(path).json()["series"][0]["series"]
    for ask in ("pixels", "saliency/any"):
        assert two.get(f"/api/series/{series}/slices/0/{ask}").status_code == 404
    assert two.get(f"{path}/export.sr.dcm").status_code == 404
    session = service.sessions.find(one.cookies["hemorrhage"])
    assert session is not None
    assert one.delete("/api/session").status_code == 204
    assert not session.folder.exists()
    assert one.get("/api/worklist").status_code == 401
    assert two.get(f"/api/studies/{second['studies'][0]}").json()["slices"] == 2


def test_nothing_on_the_disk_is_named_by_the_sender(service: Service, client: TestClient) -> None:
    session = service.sessions.find(client.cookies["hemorrhage"])
    assert session is not None
    names = [path.name for path in session.folder.rglob("*")]
    assert len(names) > 5
    assert not [name for name in names if "slice" in name]


def test_without_a_token_a_guarded_server_says_nothing(service: Service) -> None:
    client = visit(service, token="a token that is long")
    assert client.get("/api/about").status_code == 401
    assert client.post("/api/session").status_code == 401
    assert client.get("/api/worklist").status_code == 401
    assert client.post("/api/session", headers={"authorization": "Bearer a token that is long"}).status_code == 204
    assert client.get("/api/about").status_code == 200
    assert client.get("/api/worklist").json() == []


def test_the_page_itself_is_served_and_nothing_beside_it(client: TestClient) -> None:
    assert "text/html" in client.get("/").headers["content-type"]
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/docs", "/openapi.json", "/api/nothing"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert set(answer.json()) == {"error"}


def test_without_a_pacs_its_routes_say_so(client: TestClient) -> None:
    assert "without a PACS" in client.get("/api/pacs/studies").json()["error"]
    assert client.post("/api/pacs/studies/x/pull").status_code == 404


def test_pixels_travel_compressed(client: TestClient, shown: dict[str, Any]) -> None:
    path = f"/api/series/{shown['series'][0]['series']}/slices/0/pixels"
    with client.stream("GET", path) as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) < 128 * 128 * 2 / 4
    assert len(gzip.decompress(raw)) == 128 * 128 * 2
