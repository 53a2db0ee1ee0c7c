"""The client is loaded late, and what it or Kaggle refuses is one line."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.kaggle.client import Call, open_api, send
from hemorrhage.kaggle.names import COMPETITION
from hemorrhage.pipeline.runs import Run
from tests.kaggle_room.fake_kaggle import FakeKaggle, call, create_dataset, needs_client, serving
from tests.kaggle_room.test_dataset import build
from tests.kaggle_room.test_download import FILES

ASKED = Call("push x", "ask", {"word": 1}, if_forbidden="Accept the rules.", if_unknown="Look at the name.")
PUSH = ("push", "train", "--user", "sam")
KEY = {"KAGGLE_USERNAME": "sam", "KAGGLE_KEY": "secret"}
SMALL = "from hemorrhage.kaggle.download import *; download.__defaults__ = (Expected(3, 1000, 8),)"


class Response:
    """An answer of Kaggle's, as requests has it: without truth where it is an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status_code, self.text, self.reason, self.headers = status, message, "", headers or {}

    def json(self) -> Any:
        return json.loads(self.text)

    def __bool__(self) -> bool:
        return self.status_code < 400


class RefusalError(OSError):
    """What requests raises, which is an OSError."""

    def __init__(self, response: Response) -> None:
        super().__init__("refused")
        self.response = response


class FakeApi:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def ask(self, word: int) -> int:
        print("some advice")
        if self.error:
            raise self.error
        return word + 1


def test_an_answer_comes_with_what_the_client_printed(capsys: pytest.CaptureFixture[str]) -> None:
    answer = send(ASKED, FakeApi())
    assert (answer.value, answer.said) == (2, "some advice")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            Response(401, '{"code": 401, "message": "Unauthenticated."}'),
            "answers 401: Unauthenticated. Make a new token",
        ),
        (Response(403, '{"message": "You must accept this competition\'s rules"}'), "rules. Accept the rules."),
        (Response(404, "<html>Not\nFound</html>"), "answers 404: <html>Not Found</html>. Look at the name."),
        (Response(429, "slow down", {"Retry-After": "30"}), "429: slow down. Too many requests; wait 30 s"),
        (Response(429, ""), "answers 429: refused. Wait some minutes"),
        (Response(503, "[]"), "answers 503: []. The fault is Kaggle's; try again later."),
        (Response(400, '{"message": "Submission closed"}'), "answers 400: Submission closed. See what"),
    ],
)
def test_a_refusal_is_told_in_kaggles_words_with_what_to_do(response: Response, expected: str) -> None:
    with pytest.raises(HemorrhageError) as raised:
        send(ASKED, FakeApi(RefusalError(response)))
    assert str(raised.value).startswith("Could not push x: Kaggle answers")
    assert expected in str(raised.value)


def test_a_full_disk_stays_an_error_of_the_disk() -> None:
    with pytest.raises(OSError, match="No space left"):
        send(ASKED, FakeApi(OSError(28, "No space left on device")))


def test_what_the_client_itself_refuses_is_told_in_its_words() -> None:
    with pytest.raises(HemorrhageError, match="the kaggle client says: Title must be longer some advice"):
        send(ASKED, FakeApi(ValueError("Title must be longer")))


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kaggle", None)
    with pytest.raises(HemorrhageError, match=r"-m pip install 'kaggle>=2\.2,<3'"):
        open_api()


def test_a_client_that_leaves_the_program_when_imported_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kaggle").mkdir()
    (tmp_path / "kaggle" / "__init__.py").write_text("print('Could not find kaggle.json'); raise SystemExit(1)")
    code = "from hemorrhage.kaggle.client import open_api; open_api()"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KAGGLE")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "HemorrhageError: Expected credentials for Kaggle, found none." in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.fixture
def kaggle() -> Iterator[FakeKaggle]:
    with serving() as one:
        yield one


def fail(done: subprocess.CompletedProcess[str]) -> str:
    """Returns the last line on stderr of a command that must end with 2."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@needs_client
def test_a_push_sends_notebook_and_metadata(kaggle: FakeKaggle, kernel: Path, workplace: Path) -> None:
    kaggle.answers["SaveKernel"] = (200, {"url": "https://kaggle.com/code/sam/hemorrhage-train", "versionNumber": 4})
    done = call(kaggle, workplace, *PUSH, **KEY)
    assert done.stdout == "pushed version 4, which runs now: https://kaggle.com/code/sam/hemorrhage-train\n", (
        done.stderr
    )
    assert kaggle.names == ["SaveKernel"]
    sent = kaggle.body_of("SaveKernel")
    (cell,) = json.loads(sent.pop("text"))["cells"]
    assert cell["outputs"] == []
    assert cell["source"] == "1 + 1"
    assert sent == {
        "slug": "sam/hemorrhage-train",
        "newTitle": "Hemorrhage train",
        "language": "python",
        "kernelType": "notebook",
        "isPrivate": True,
        "enableGpu": True,
        "enableTpu": False,
        "enableInternet": False,
        "machineShape": "NvidiaTeslaT4",
        "datasetDataSources": ["sam/hemorrhage-wheels"],
        "competitionDataSources": [COMPETITION],
        "kernelDataSources": ["sam/hemorrhage-prepare"],
    }


@needs_client
@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (401, "Unauthenticated", "answers 401: Unauthenticated. Make a new token"),
        (403, "Permission denied", "answers 403: Permission denied. Is the token that of sam"),
        (404, "Dataset not found", "answers 404: Dataset not found. Is sam the name of your account"),
        (429, "Too many", "answers 429: Too many. Too many requests; wait 7 s"),
    ],
)
def test_a_refused_push_is_one_line(
    kaggle: FakeKaggle, kernel: Path, workplace: Path, status: int, message: str, expected: str
) -> None:
    kaggle.answers["SaveKernel"] = (status, {"code": status, "message": message})
    kaggle.headers["Retry-After"] = "7"
    assert expected in fail(call(kaggle, workplace, *PUSH, **KEY))


@needs_client
def test_missing_and_expired_credentials_are_told_apart(kaggle: FakeKaggle, kernel: Path, workplace: Path) -> None:
    line = fail(call(kaggle, workplace, *PUSH))
    assert "Expected credentials for Kaggle, found none. Make a token at https://www.kaggle.com/settings/api" in line
    kaggle.answers["IntrospectToken"] = (200, {"active": False})
    assert "does not take the credentials in KAGGLE_API_TOKEN" in fail(
        call(kaggle, workplace, *PUSH, KAGGLE_API_TOKEN="expired")
    )
    kaggle.answers["IntrospectToken"] = (200, {"active": True, "username": "sam"})
    assert call(kaggle, workplace, *PUSH, KAGGLE_API_TOKEN="good").returncode == 0
    assert dict(kaggle.requests[-1][1])["Authorization"] == "Bearer good"


@needs_client
def test_a_kaggle_out_of_reach_is_one_line(kernel: Path, workplace: Path) -> None:
    with serving() as kaggle:
        pass
    assert "Kaggle cannot be reached" in fail(call(kaggle, workplace, *PUSH, **KEY))
    assert "Kaggle cannot be reached" in fail(call(kaggle, workplace, *PUSH, KAGGLE_API_TOKEN="good"))


@needs_client
def test_the_dataset_is_what_kaggle_datasets_create_wants(
    kaggle: FakeKaggle, run: Run, no_pip: None, workplace: Path
) -> None:
    build("sam", "first")
    folder = workplace / "build" / "kaggle-dataset"
    kaggle.answers["GetDatasetStatus"] = (404, {"message": "no such dataset"})
    kaggle.answers["StartBlobUpload"] = (200, {"token": "t", "createUrl": f"http://localhost:{kaggle.port}/blob"})
    kaggle.answers["CreateDataset"] = (200, {"status": "ok"})
    done = create_dataset(kaggle, workplace, folder, **KEY)
    assert done.stdout.splitlines()[-1].split()[0] == "ok", done.stderr
    started = [json.loads(body)["name"] for name, _, body in kaggle.requests if name == "StartBlobUpload"]
    assert sorted(started) == sorted({path.name for path in folder.iterdir()} - {"dataset-metadata.json"})
    sent = kaggle.body_of("CreateDataset")
    assert (sent["ownerSlug"], sent["slug"], sent["licenseName"]) == ("sam", "hemorrhage-wheels", "other")


@needs_client
def test_an_upload_sends_file_and_message(kaggle: FakeKaggle, run: Run, workplace: Path) -> None:
    address = f"http://localhost:{kaggle.port}/blob"
    kaggle.answers["StartSubmissionUpload"] = (200, {"token": "t", "createUrl": address})
    kaggle.answers["CreateSubmission"] = (200, {"message": "Successfully submitted to RSNA"})
    few = {"module": "upload", "setting": "hemorrhage.kaggle.upload.TEST_IMAGES = 4"}
    done = call(kaggle, workplace, "upload", "first", **few, **KEY)
    assert done.returncode == 0, done.stderr
    assert "Successfully submitted to RSNA" in done.stdout
    assert kaggle.names == ["StartSubmissionUpload", "blob", "CreateSubmission"]
    assert kaggle.requests[1][2] == run.submission_path.read_bytes()
    assert kaggle.body_of("CreateSubmission") == {
        "competitionName": COMPETITION,
        "blobFileTokens": "t",
        "submissionDescription": "first, commit 0123456789ab, out-of-fold 0.69315 on 4 slices",
    }
    kaggle.answers["blob"] = (400, {})
    assert "the file did not arrive" in fail(call(kaggle, workplace, "upload", "first", **few, **KEY))


@needs_client
def test_a_download_goes_on_in_the_middle_and_is_unpacked(kaggle: FakeKaggle, workplace: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    kaggle.archive = content.getvalue()
    part = workplace / "input" / f"{COMPETITION}.zip"
    part.parent.mkdir()
    part.write_bytes(kaggle.archive[:100])
    mark = {"validator": '"first"', "size": len(kaggle.archive)}
    part.with_name(f"{part.name}.kaggle-partial").write_text(json.dumps(mark))
    done = call(kaggle, workplace, "download", module="download", setting=SMALL, **KEY)
    assert done.returncode == 0, done.stderr
    assert kaggle.requests[-1][1]["Range"] == "bytes=100-"
    assert (workplace / "input" / COMPETITION / "stage_2_test" / "ID_3.dcm").read_bytes() == b"c" * 8
    assert [path.name for path in (workplace / "input").iterdir()] == [COMPETITION]


@needs_client
def test_rules_not_accepted_stop_a_download_with_their_address(kaggle: FakeKaggle, workplace: Path) -> None:
    words = "You must accept this competition's rules before you'll be able to download files."
    kaggle.answers["DownloadDataFiles"] = (403, {"code": 403, "message": words})
    line = fail(call(kaggle, workplace, "download", module="download", setting=SMALL, **KEY))
    assert f"{words} Accept the rules once at https://www.kaggle.com/competitions/{COMPETITION}/rules." in line
