"""A small server that speaks as a Vault's transit engine does on the wire: it keeps the format, and nothing more.

Written after Vault's API documentation and the engine's source. It derives a key for each context (HKDF-SHA256, as
Vault does), numbers versions, answers batches item by item, and refuses like Vault: 403 for a token, 400 with every
item's own answer for a ciphertext, 503 while sealed. No Vault was asked.
"""

import base64
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID
from typing_extensions import override

from consent.vault.calls import VaultPlace

TOKEN: Final = "hvs.a-token-for-tests"
KEY: Final = "byleave"
YEAR: Final = timedelta(days=365)


class Refused(Exception):
    """An answer that isn't 200."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class FakeVault:
    """One transit key in memory, and what a test may do to the server."""

    def __init__(self) -> None:
        self.keys: dict[int, bytes] = {1: os.urandom(32)}
        self.settings: dict[str, Any] = {
            "derived": True, "convergent_encryption": False, "exportable": False, "allow_plaintext_backup": False,
            "min_decryption_version": 1, "min_encryption_version": 0, "min_available_version": 0,
        }  # fmt: skip
        self.sealed = False
        self.slow = 0.0
        self.raw: bytes | None = None
        """What is answered instead of everything else."""
        self.token = TOKEN
        self.namespace = ""
        self.calls: list[str] = []
        self.connections: set[socket.socket] = set()
        self.address = ""

    # -------------------------------------------------------------------------------------------------- the engine

    def answer(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(f"{method} {path}")
        if self.sealed:
            raise Refused(503, {"errors": ["Vault is sealed"]})
        if headers.get("x-vault-token") != self.token or headers.get("x-vault-namespace", "") != self.namespace:
            raise Refused(403, {"errors": ["permission denied"]})
        match method, path.removeprefix("/v1/transit/").split("/"):
            case "GET", ["keys", name] if name == KEY:
                return {"data": self._described()}
            case "POST", ["keys", name, "rotate"] if name == KEY:
                self.keys[max(self.keys) + 1] = os.urandom(32)
                return {"data": self._described()}
            case "POST", ["keys", name, "config"] if name == KEY:
                self.settings |= body
                return {"data": self._described()}
            case "POST", ["keys", name, "trim"] if name == KEY:
                return self._trim(body["min_available_version"])
            case "POST", [("encrypt" | "decrypt" | "rewrap") as what, name] if name == KEY:
                return self._batch(what, body["batch_input"])
        raise Refused(404, {"errors": []})

    def _described(self) -> dict[str, Any]:
        least = self.settings["min_decryption_version"]
        keys = {str(version): 1_790_000_000 + version for version in self.keys if version >= least}
        return {**self.settings, "name": KEY, "type": "aes256-gcm96", "keys": keys, "latest_version": max(self.keys)}

    def _trim(self, first: int) -> dict[str, Any]:
        least = min(self.settings["min_decryption_version"], self.settings["min_encryption_version"])
        if first > least:
            raise Refused(400, {"errors": ["cannot trim past the minimum versions"]})
        self.settings["min_available_version"] = first
        self.keys = {version: key for version, key in self.keys.items() if version >= first}
        return {"data": self._described()}

    def _batch(self, what: str, items: list[dict[str, str]]) -> dict[str, Any]:
        answers = [getattr(self, f"_{what}")(item) for item in items]
        body = {"data": {"batch_results": answers}}
        if any("error" in answer for answer in answers):
            raise Refused(400, body)
        return body

    def _encrypt(self, item: dict[str, str]) -> dict[str, Any]:
        version = max(self.keys)
        nonce = os.urandom(12)
        sealed = nonce + self._cipher(version, item["context"]).encrypt(nonce, base64.b64decode(item["plaintext"]), b"")
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}

    def _decrypt(self, item: dict[str, str]) -> dict[str, Any]:
        _, version, text = item["ciphertext"].split(":")
        try:
            number, raw = int(version[1:]), base64.b64decode(text, validate=True)
        except ValueError:
            return {"error": "invalid ciphertext: could not decode base64"}
        if number < self.settings["min_decryption_version"]:
            return {"error": "ciphertext or signature version is disallowed by policy (too old)"}
        if number not in self.keys:
            return {"error": "invalid ciphertext: version is too new"}
        try:
            plain = self._cipher(number, item["context"]).decrypt(raw[:12], raw[12:], b"")
        except InvalidTag:
            return {"error": "cipher: message authentication failed"}
        return {"plaintext": base64.b64encode(plain).decode()}

    def _rewrap(self, item: dict[str, str]) -> dict[str, Any]:
        opened = self._decrypt(item)
        return opened if "error" in opened else self._encrypt({"context": item["context"], **opened})

    def _cipher(self, version: int, context: str) -> AESGCM:
        derived = HKDF(hashes.SHA256(), 32, None, base64.b64decode(context)).derive(self.keys[version])
        return AESGCM(derived)


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *given: Any, vault: FakeVault) -> None:
        self.vault = vault
        super().__init__(*given)

    def do_GET(self) -> None:
        self._do("GET")

    def do_POST(self) -> None:
        self._do("POST")

    @override
    def log_message(self, *_said: Any) -> None:
        """Say nothing."""

    def _do(self, method: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self.vault.connections.add(self.connection)
        time.sleep(self.vault.slow)
        status = 200
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            told = self.vault.answer(method, self.path, headers, body)
        except Refused as refused:
            status, told = refused.status, refused.body
        raw = json.dumps(told).encode() if self.vault.raw is None else self.vault.raw
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def serving(vault: FakeVault, *, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[FakeVault]:
    """Let a Vault answer on this machine while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Requests, vault=vault))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    vault.address = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        for connection in vault.connections:
            with suppress(OSError):  # it was closed from the other side
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def place(vault: FakeVault, folder: Path, **more: Any) -> VaultPlace:
    """Return how to reach a Vault, with a token file in a folder."""
    token = folder / "vault.token"
    token.write_text(TOKEN + "\n", encoding="ascii")
    token.chmod(0o600)
    return VaultPlace(**{"address": vault.address, "token_file": token, "key": KEY, "timeout_seconds": 0.3, **more})


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """Make a certificate of a server on this machine, signed by itself; return what it serves with, and its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "127.0.0.1":
        names = [x509.IPAddress(ip_address(name))]
    now = datetime.now(UTC)  # noqa: TID251 -- a certificate holds by the machine's clock
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - YEAR)
        .not_valid_after(now + YEAR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "vault.pem", folder / "vault.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
