"""Calls to HashiCorp Vault (or OpenBao) over HTTP: TLS verified, bounded in time and size, and every failure named.

The token comes from a file, which an agent may renew while we run; it stands in no message. Redirects are not followed
and proxies not asked: the token goes to the configured address alone.

Source:
    Vault's HTTP API: `X-Vault-Token`, `X-Vault-Namespace`, errors as `{"errors": […]}`, status 503 while sealed.
"""

import http.client
import json
import ssl
import stat
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from consent.base.errors import KmsDown, SettingsInvalid

_MOST_BYTES: Final = 16_777_216
_LONGEST_TOKEN: Final = 8_192
_KEPT: Final = 8
_STALE: Final = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest)
_WHY: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "refuses the token",
    HTTPStatus.FORBIDDEN: "refuses the token, or its policy doesn't allow this",
    HTTPStatus.NOT_FOUND: "has no such key, or no transit engine at that mount",
    HTTPStatus.TOO_MANY_REQUESTS: "asks to be left alone for a while, or is a standby",
    HTTPStatus.SERVICE_UNAVAILABLE: "is sealed, or under maintenance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultPlace:
    """Where a Vault is, and how it is spoken to. The token itself is not in it."""

    address: str
    """`https://vault.example:8200`."""
    token_file: Path
    key: str = "byleave"
    """The name of the transit key."""
    mount: str = "transit"
    namespace: str = ""
    ca_file: Path | None = None
    """Whom to trust, beside nobody else; the system's authorities where left out."""
    timeout_seconds: float = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """What Vault answered: its status, and the JSON object that came with it."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """The part of the body that is the answer proper; empty where there is none."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}


class VaultCalls:
    """A client of one Vault, for any number of threads; a few connections stay open between calls."""

    def __init__(self, place: VaultPlace) -> None:
        """Nothing connects yet.

        Raises:
            SettingsInvalid: the file of trusted authorities can't be read.
        """
        self._place = place
        self._base = urlsplit(place.address)
        self._tls = _tls(place) if self._base.scheme == "https" else None
        self._open: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close the connections that no call is using."""
        while self._open:
            self._open.pop().close()

    def get(self, path: str) -> Reply:
        """Read something below `/v1/`."""
        return self._answered("GET", path, None, again=True)

    def post(self, path: str, body: Mapping[str, Any], *, again: bool = True) -> Reply:
        """Ask for something below `/v1/`; `again` where doing it twice does no harm.

        Returns:
            The answer; 400 is one, and says in its body what is wrong.

        Raises:
            KmsDown: there was no answer, or one that doesn't let us go on.
        """
        return self._answered("POST", path, body, again=again)

    def path(self, *parts: str) -> str:
        """Return the path of something of the transit engine."""
        return "/v1/" + "/".join(quote(part, safe="") for part in (*self._place.mount.split("/"), *parts))

    def _answered(self, method: str, path: str, body: Mapping[str, Any] | None, *, again: bool) -> Reply:
        sent = None if body is None else json.dumps(body).encode()
        try:
            reply = self._sent(method, path, sent, again=again)
        except ssl.SSLCertVerificationError as wrong:
            why = f"{self._place.address} shows a certificate that is not one to trust: see BYLEAVE_VAULT_CA_FILE"
            raise KmsDown(why) from wrong
        except (OSError, http.client.HTTPException) as lost:
            why = "in time" if isinstance(lost, TimeoutError) else f"({type(lost).__name__})"
            raise KmsDown(f"{self._place.address} does not answer {why}") from lost
        if reply.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.BAD_REQUEST):
            raise KmsDown(f"{self._place.address} {_WHY.get(reply.status, f'answers {reply.status}')}")
        return reply

    def _sent(self, method: str, path: str, body: bytes | None, *, again: bool) -> Reply:
        """Send on the connection that is open; on a new one where the other side has closed it meanwhile."""
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true", "Content-Type": "application/json"}
        if self._place.namespace:
            headers["X-Vault-Namespace"] = self._place.namespace
        kept = self._kept() if again else None
        if kept is not None:
            with suppress(*_STALE):
                return self._exchanged(kept, method, path, body, headers)
        return self._exchanged(self._connected(), method, path, body, headers)

    def _exchanged(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            raw = response.read(_MOST_BYTES + 1)
        except BaseException:
            connection.close()  # half an answer may be left in it
            raise
        if len(self._open) < _KEPT and len(raw) <= _MOST_BYTES:
            self._open.append(connection)
        else:
            connection.close()
        return Reply(response.status, _object(raw))

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._open.pop()
        except IndexError:
            return None

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._base.hostname or "", self._base.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=self._place.timeout_seconds)
        return http.client.HTTPSConnection(host, port, timeout=self._place.timeout_seconds, context=self._tls)

    def _token(self) -> str:
        path = self._place.token_file
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            with path.open(encoding="ascii") as file:
                token = file.read(_LONGEST_TOKEN).strip()
        except (OSError, ValueError):
            raise KmsDown(f"the token file {path} can't be read") from None  # the cause could quote the file
        if mode & stat.S_IRWXO:
            raise KmsDown(f"the token file {path} can be read by everybody (mode {mode:04o}): chmod 600 it")
        if not token or not token.isprintable() or " " in token:
            raise KmsDown(f"the token file {path} holds no token")
        return token


def _tls(place: VaultPlace) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=place.ca_file)
    except (OSError, ssl.SSLError):
        msg = f"the certificates in {place.ca_file} can't be read"
        raise SettingsInvalid(msg) from None


def _object(raw: bytes) -> Mapping[str, Any]:
    """Return the JSON object that came; nothing where none did.

    Raises:
        HTTPException: it is something else, or has no end: whoever answers is no Vault.
    """
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw) if len(raw) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise http.client.HTTPException("an answer that is no JSON object")
    return body
