"""What every request must be and every answer says, whatever its route: a shell around the whole application."""

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from hemorrhage.web.faults import say_fault

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_SAFE_METHODS = ("GET", "HEAD")
_UPLOADS = "/api/uploads"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Guard:
    """What a server lets in: `hosts` are the names that it may be asked by (any where empty), `token` what opens it.

    Without a token it is open to whoever reaches it: right on loopback alone.
    """

    hosts: tuple[str, ...]
    token: str | None
    json_bytes: int

    def admits(self, authorization: str) -> bool:
        """Returns whether an Authorization header opens the server."""
        if self.token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode())

    def refuse(self, scope: Scope) -> tuple[int, str] | None:
        """Returns status and words for a request that is not let in, None for one that is."""
        headers = read_headers(scope)
        host = headers.get("host", "")
        # Another site's name that was made to point at this machine (DNS rebinding) is not one of ours.
        if self.hosts and strip_port(host) not in self.hosts:
            return 403, "This server is not known by that name; open the address that it printed."
        site = headers.get("sec-fetch-site", "none")
        is_page = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not is_page:
            return 403, "Another site may not ask this server."
        if scope["method"] in _SAFE_METHODS:
            return None
        if headers.get("x-hemorrhage") != "1":
            return 403, "Expected the header X-Hemorrhage: 1, which other sites cannot send."
        if headers.get("origin", f"http://{host}").partition("://")[2] != host:
            return 403, "Another site may not change anything here."
        return self._refuse_body(scope, headers)

    def _refuse_body(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if scope["path"] == _UPLOADS:
            return None
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > self.json_bytes:
            return 413, f"More than {self.json_bytes} bytes, where only an upload may be large."
        return None


class Shell:
    """The application within its guard, with the security headers on every answer."""

    def __init__(self, app: App, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        guarded = _with_headers(scope, send)
        refusal = self._guard.refuse(scope)
        if refusal is None:
            try:
                await self._app(scope, receive, guarded)
            except ClientDisconnect:
                return
            except Exception as error:  # noqa: BLE001 - answered already; a log of its text might name a patient
                say_fault(error)
            return
        status, text = refusal
        body = json.dumps({"error": text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await guarded({"type": "http.response.start", "status": status, "headers": headers})
        await guarded({"type": "http.response.body", "body": body})


def name_hosts(bound: str) -> tuple[str, ...]:
    """Returns the names that a server bound to an address may be asked by, as Host headers have them; none: any.

    Bound to every address it cannot know its names; there the token keeps out what another site sends.
    """
    if bound in ("0.0.0.0", "::", ""):
        return ()
    own = f"[{bound}]" if ":" in bound else bound.lower()
    return tuple(dict.fromkeys((own, *_LOOPBACK_NAMES))) if is_loopback(bound) else (own,)


def is_loopback(bound: str) -> bool:
    """Returns whether an address is this machine's own, that no other can reach."""
    try:
        return ipaddress.ip_address(bound).is_loopback
    except ValueError:
        return bound == "localhost"


def read_headers(scope: Scope) -> dict[str, str]:
    """Returns the headers of a request by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def strip_port(host: str) -> str:
    """Returns the name in a Host header without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()


def _with_headers(scope: Scope, send: Send) -> Send:
    fresh = b"no-cache" if not scope["path"].startswith("/api/") else b"no-store"

    async def guarded(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value) for name, value in message["headers"] if name.lower() not in (b"server", b"cache-control")
            ]
            added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message = {**message, "headers": [*kept, *added, (b"cache-control", fresh)]}
        await send(message)

    return guarded
