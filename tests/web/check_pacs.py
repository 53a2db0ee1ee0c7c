"""The page against a real PACS: Orthanc, started here on loopback. Run by `make test-web`."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from hemorrhage.web.limits import Limits
from hemorrhage.web.network import Network
from hemorrhage.web.pacs import LOGIN_VARIABLE, Pacs
from hemorrhage.web.service import Service
from tests.web.making import write_study
from tests.web.test_page import visit

_PROGRAMS = ("Orthanc", "/usr/sbin/Orthanc")
_PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    """Returns a port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Returns the address of an Orthanc that holds one study, and wants a name and a password."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None or not list(_PLUGINS.glob("libOrthancDicomWeb*")):
        pytest.skip("no Orthanc with DICOMweb here; on Debian: apt install orthanc orthanc-dicomweb")
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    config = {
        "Name": "test",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": [str(path) for path in _PLUGINS.glob("libOrthancDicomWeb*")],
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"reader": "a password"},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(config))
    log = (folder / "log").open("wb")
    process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        _wait(port, process, folder / "log")
        for path in write_study(folder / "study", StudyDescription="Head from a PACS", StudyDate="20260102"):
            answer = httpx.post(
                f"http://127.0.0.1:{port}/instances", content=path.read_bytes(), auth=("reader", "a password")
            )
            assert answer.status_code == 200, answer.text
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"http://127.0.0.1:{port}/system", auth=("reader", "a password")).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture
def service(orthanc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Returns a server's state with the PACS behind it."""
    monkeypatch.setenv(LOGIN_VARIABLE, "reader:a password")
    pacs = Pacs(orthanc, Limits())
    pacs.check()
    service = Service(Network("@phantom"), Limits(), pacs, tmp_path)
    yield service
    service.close()


def test_a_study_is_listed_pulled_and_read(service: Service) -> None:
    client = visit(service)
    assert client.get("/api/about").json()["pacs"]["name"].startswith("127.0.0.1:")
    assert client.get("/api/pacs/studies?from=20260103").json() == []
    (row,) = client.get("/api/pacs/studies?from=20260101&to=20260131").json()
    assert (row["date"], row["description"], row["modalities"], row["series"]) == (
        "20260102",
        "Head from a PACS",
        "CT",
        1,
    )
    assert "1.2.3" not in json.dumps(row)
    upload = client.post(f"/api/pacs/studies/{row['study']}/pull").json()["upload"]
    for _ in range(1200):
        state = client.get(f"/api/uploads/{upload}").json()
        if state["state"] in ("done", "failed"):
            break
        time.sleep(0.05)
    assert (state["state"], state["error"], state["left_out"]) == ("done", None, [])
    (study,) = client.get("/api/worklist").json()
    assert (study["slices"], study["state"]) == (5, "done")
    series = client.get(f"/api/studies/{study['study']}").json()["series"][0]["series"]
    content = client.get(f"/api/series/{series}/slices/0/pixels").content
    assert np.frombuffer(content, "<i2").reshape(128, 128)[64, 100] == 35
    assert visit(service).post(f"/api/pacs/studies/{row['study']}/pull").status_code == 404


def test_a_wrong_password_is_said(orthanc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOGIN_VARIABLE, "reader:wrong")
    pacs = Pacs(orthanc, Limits())
    with pytest.raises(Exception, match="refuses with status 401"):
        pacs.check()
    pacs.close()
