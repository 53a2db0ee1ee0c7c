"""A PACS that misbehaves; one that does not is Orthanc, in check_pacs.py."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hemorrhage.errors import HemorrhageError
from hemorrhage.web.limits import Limits, RefusedError
from hemorrhage.web.pacs import Pacs, check_url

Answer = tuple[int, dict[str, str], bytes]
STUDY = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00080020": {"vr": "DA", "Value": ["20260102"]},
    "00081030": {"vr": "LO", "Value": ["Head"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00201206": {"vr": "IS", "Value": [2]},
}


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], tuple[Pacs, list[str]]]]:
    """Returns a function that starts a server of one answer, and gives it as a PACS, and what it is asked."""
    servers: list[HTTPServer] = []
    opened: list[Pacs] = []

    def start(answer: Answer) -> tuple[Pacs, list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                status, headers, body = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                """Says nothing."""

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        opened.append(Pacs(f"http://127.0.0.1:{servers[-1].server_port}/dicom-web", Limits()))
        return opened[-1], asked

    yield start
    for pacs in opened:
        pacs.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_studies_are_listed_without_their_patients(answering: Callable[[Answer], tuple[Pacs, list[str]]]) -> None:
    later = {**STUDY, "0020000D": {"Value": ["1.2.4"]}, "00080020": {"Value": ["20260203"]}}
    wrong = {**STUDY, "0020000D": {"Value": ["../../instances"]}}
    pacs, asked = answering((200, {}, json.dumps([STUDY, later, wrong]).encode()))
    first, second = pacs.list_studies("20260101", "")
    assert (first.uid, second.uid) == ("1.2.4", "1.2.3")
    assert (second.date, second.description, second.modalities, second.series) == ("20260102", "Head", "CT, SR", 2)
    assert asked == [
        "/dicom-web/studies?limit=200&StudyDate=20260101-&includefield=00081030&includefield=00080061&includefield=00201206"
    ]


def test_days_that_are_none_are_not_sent_on(answering: Callable[[Answer], tuple[Pacs, list[str]]]) -> None:
    pacs, asked = answering((200, {}, b"[]"))
    with pytest.raises(RefusedError, match="YYYYMMDD"):
        pacs.list_studies("2026-01-01&PatientName=*", "")
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((302, {"Location": "http://169.254.169.254/"}, b""), "another address, which is not followed"),
        ((401, {}, b""), "status 401. Is HEMORRHAGE_PACS_LOGIN set"),
        ((500, {}, b""), "status 500"),
        ((200, {}, b"<html>"), "not as a DICOMweb server does"),
        ((200, {}, b'{"a": 1}'), "not with a list"),
        ((200, {}, b"[" + b" " * 14_000_000 + b"]"), "more than a list of studies can need"),
    ],
)
def test_an_answer_that_is_none_is_said_in_words(
    answering: Callable[[Answer], tuple[Pacs, list[str]]], answer: Answer, words: str
) -> None:
    pacs, asked = answering(answer)
    with pytest.raises(RefusedError, match=words) as raised:
        pacs.list_studies("", "")
    assert raised.value.status == 502
    assert len(asked) == 1


def test_a_study_that_is_too_large_is_stopped(
    answering: Callable[[Answer], tuple[Pacs, list[str]]], tmp_path: Path
) -> None:
    body = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + b"x" * 5000 + b"\r\n--edge--"
    pacs, _ = answering((200, {"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'}, body))

    def refuse(count: int) -> None:
        raise RefusedError(f"There is no room for {count} bytes.")

    with pytest.raises(RefusedError, match="no room for"):
        pacs.pull("1.2.3", tmp_path, refuse)
    assert not any(tmp_path.iterdir())
    writer = pacs.pull("1.2.3", tmp_path, print)
    assert [path.read_bytes() for path in writer.paths] == [b"x" * 5000]


def test_nobody_at_the_address_is_one_line() -> None:
    pacs = Pacs("http://127.0.0.1:9/dicom-web", Limits())
    with pytest.raises(HemorrhageError, match=r"--pacs: 127\.0\.0\.1:9 does not answer \(ConnectError\)"):
        pacs.check()
    pacs.close()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/", "host:8042", "http://", "http://u:p@host/", "http://host/?a=b"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(HemorrhageError, match="DICOMweb"):
        check_url(url)
