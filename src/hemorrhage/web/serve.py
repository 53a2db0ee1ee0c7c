"""The verb serve: a page on this machine where studies are read by a run."""

import atexit
import os
import secrets
import socket
from dataclasses import dataclass

import uvicorn

from hemorrhage.errors import HemorrhageError
from hemorrhage.pipeline.console import Console
from hemorrhage.web.app import create_app
from hemorrhage.web.limits import WARNING, Limits
from hemorrhage.web.network import Network
from hemorrhage.web.pacs import Pacs
from hemorrhage.web.safety import Guard, is_loopback, name_hosts
from hemorrhage.web.service import Service

TOKEN_VARIABLE = "HEMORRHAGE_TOKEN"
_SHORTEST_TOKEN = 16
_BACKLOG = 128


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What a browser is told."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def serve(run: str, address: Address, pacs_url: str | None, console: Console, limits: Limits | None = None) -> None:
    """Serves the page until it is stopped; what was uploaded is erased then.

    Raises HemorrhageError for an unknown or unfinished run, an address that is taken or is not of this machine, a
    token that is too short, or a PACS that does not answer.
    """
    token, is_new = find_token(address.host)
    listening = bind(address)
    bound = Address(address.host, listening.getsockname()[1])
    with listening:
        limits = limits or Limits()
        service = Service(Network(run), limits, _open_pacs(pacs_url, limits))
        atexit.register(service.close)
        try:
            service.start()
            _say(service, bound, token if is_new else None, console)
            _run(service, Guard(name_hosts(bound.host), token, service.limits.json_bytes), listening, bound)
        finally:
            service.close()
            atexit.unregister(service.close)
    console.say("stopped; what was uploaded is erased")


def _open_pacs(url: str | None, limits: Limits) -> Pacs | None:
    if url is None:
        return None
    pacs = Pacs(url, limits)
    pacs.check()
    return pacs


def find_token(host: str) -> tuple[str | None, bool]:
    """Returns the token that opens the server, and whether it was made just now; None on loopback without one.

    Raises HemorrhageError for one in the environment that could be guessed.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given is not None:
        if len(given) < _SHORTEST_TOKEN:
            raise HemorrhageError(
                f"{TOKEN_VARIABLE}: expected {_SHORTEST_TOKEN} characters or more, received {len(given)}. Leave it out "
                "to have one made."
            )
        return given, False
    return (None, False) if is_loopback(host) else (secrets.token_urlsafe(24), True)


def bind(address: Address) -> socket.socket:
    """Returns a listening socket; raises HemorrhageError where the address cannot be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(place)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        raise HemorrhageError(
            f"Expected to listen at {address.host} port {address.port}, but that cannot be had "
            f"({getattr(error, 'strerror', None) or error}). Name another by --port or --host."
        ) from error
    return listening


def _say(service: Service, address: Address, token: str | None, console: Console) -> None:
    name = service.network.name
    console.say(f"{WARNING}\nrun {name} at {address.url} (Ctrl-C stops the server and erases what was uploaded)")
    if token is not None:
        console.say(f"token: {token}\n(asked for once in each browser; another may be given by {TOKEN_VARIABLE})")
    if not is_loopback(address.host):
        console.warn(
            f"{address.host} can be reached from elsewhere, and what is sent is not encrypted. Put a proxy with TLS "
            "before it, or use an SSH tunnel to 127.0.0.1 instead."
        )


def _run(service: Service, guard: Guard, listening: socket.socket, address: Address) -> None:
    # No access log: a line there has the addresses of visitors, and no use.
    config = uvicorn.Config(
        create_app(service, guard, f"hemorrhage-{address.port}"),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=3,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        # uvicorn ends in good order, and then lets Ctrl-C go on.
        return
