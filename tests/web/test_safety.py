"""What every request must be, and what every answer says, around an application that always says yes."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from hemorrhage.web.safety import Guard, Shell, is_loopback, name_hosts, strip_port

LOCAL = name_hosts("127.0.0.1")


def client(host: str = "127.0.0.1:8765", hosts: tuple[str, ...] = LOCAL) -> TestClient:
    """Returns a client of a guarded application that has one path for everything, and one that fails."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "DELETE"])
    def answer(path: str) -> dict[str, str]:
        if path == "fault":
            raise ValueError("Secret^Name")
        return {"path": path}

    return TestClient(Shell(app, Guard(hosts, None, 1000)), base_url=f"http://{host}")


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_a_foreign_name_that_points_here_is_refused(host: str) -> None:
    answer = client().get("/api/worklist", headers={"host": host})
    assert answer.status_code == 403
    assert "not known by that name" in answer.json()["error"]


def test_changes_want_the_header_that_other_sites_cannot_send() -> None:
    assert client().post("/api/session").status_code == 403
    assert client().delete("/api/session", headers={"x-hemorrhage": "yes"}).status_code == 403
    assert client().post("/api/session", headers={"x-hemorrhage": "1"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_changes_from_another_origin_are_refused(origin: str) -> None:
    assert client().post("/api/session", headers={"x-hemorrhage": "1", "origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_here_and_ask_nothing(site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert client().get("/", headers=headers).status_code == 200
    assert client().get("/api/worklist", headers=headers).status_code == 403
    assert client().get("/", headers={**headers, "sec-fetch-mode": "no-cors"}).status_code == 403


def test_only_an_upload_may_be_large() -> None:
    big: dict[str, Any] = {"content": b"x" * 1001, "headers": {"x-hemorrhage": "1"}}
    assert client().post("/api/session", **big).status_code == 413
    assert client().post("/api/uploads", **big).status_code == 200
    chunks = client().post("/api/session", content=iter([b"x"]), headers={"x-hemorrhage": "1"})
    assert chunks.status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/worklist", "/static/page.js"])
def test_every_answer_carries_the_headers(path: str) -> None:
    for answer in (client().get(path), client().get(path, headers={"host": "evil.example"})):
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")


def test_a_fault_is_logged_by_its_place_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert client().get("/fault").status_code == 500
    said = capfd.readouterr()
    assert "ValueError at test_safety.py" in said.err
    assert "Secret" not in said.err + said.out


def test_a_token_opens_and_nothing_else_does() -> None:
    guard = Guard((), "correct horse battery", 1000)
    assert guard.admits("Bearer correct horse battery")
    for wrong in ("", "Bearer", "Bearer correct", "Basic correct horse battery", "Bearer correct horse battery x"):
        assert not guard.admits(wrong)
    assert Guard((), None, 1000).admits("")


def test_names_of_addresses() -> None:
    assert name_hosts("0.0.0.0") == ()
    assert name_hosts("192.168.1.5") == ("192.168.1.5",)
    assert name_hosts("127.0.0.1") == ("127.0.0.1", "localhost", "[::1]")
    assert [is_loopback(one) for one in ("127.0.0.2", "::1", "localhost", "0.0.0.0", "example.org")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [strip_port(one) for one in ("a:1", "[::1]:80", "[::1]", "A")] == ["a", "[::1]", "[::1]", "a"]
