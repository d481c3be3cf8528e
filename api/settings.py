"""Settings: read once at the start, from `BYLEAVE_*` variables over one TOML file, into one frozen object.

The file is named by `BYLEAVE_CONFIG`, or is `byleave.toml` where the process was started. A setting is called the same
in both: `BYLEAVE_BASE_URL` and `base_url`. A variable wins over the file. All bad settings are named at once, and so
are the ones that don't exist: a misspelt setting is not a setting left out.

No secret is a setting: keys lie in the keyring, a file that only its owner can read. What can be secret all the same
(a password in the database's address) is not shown by `repr`.
"""

import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa
from typing_extensions import override

from consent.base.errors import Place, SettingsInvalid
from consent.base.form import read_table
from consent.deployment import ERASURES, VaultPlace
from consent.ledger.cosignature import key_of
from consent.ledger.entry import ORIGIN
from consent.ledger.note import NoteRefused
from consent.rights.horizon import Horizon
from consent.witness.asking import WitnessPlace

PREFIX: Final = "BYLEAVE_"
FILE: Final = "byleave.toml"
DEFAULT_NAME: Final = "byleave.localhost"
_HOST: Final = re.compile(r"\.?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]+\]", re.ASCII)
_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_THIS_MACHINE: Final = (*_LOOPBACK, "::1")
_VAULT_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_MASTER: Final = re.compile(
    r"local(\[(\*|[0-9]+)(, ?[0-9]+)?\])?|local-cluster\[[0-9, ]+\]|yarn|(spark|k8s|mesos)://[\w.:/,-]+", re.ASCII
)

_MOST_A_MINUTE: Final = 60_000_000
"""A request a microsecond."""

Environment = Literal["development", "production"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that differs between one deployment and another."""

    home: Path = Path("byleave-home")
    """The folder of what is kept in files."""
    database_url: str = ""
    """`sqlite:///FILE` or `postgresql://…`; the file `byleave.db` at home where nothing is given."""
    keyring: Path = Path()
    """The keyring file; `keyring.json` at home where nothing is given."""
    name: str = DEFAULT_NAME
    """The host name that the ledger is called by, for ever."""
    base_url: str = "http://127.0.0.1:8000"
    """Where people reach the pages; left out, this machine, at the port of `serve`. Links are built from it alone."""
    trusted_hosts: tuple[str, ...] = ()
    """The hosts that a request may name; the host of `base_url` where nothing is given."""
    environment: Environment = "development"
    checkpoint_every_seconds: int = 20
    """How often the worker looks for entries that no checkpoint covers: a minute at most."""
    remind_days: int = 30
    """How long before a consent ends its customer is reminded, where the catalogue doesn't say."""
    session_idle_minutes: int = 30
    session_absolute_minutes: int = 720
    session_fresh_minutes: int = 15
    """How long after signing in somebody may do what takes a fresh sign-in: take data out, erase."""
    max_body_bytes: int = 1_048_576
    rate_per_key: int = 60_000
    """How many requests a minute one API key may ask, of all processes together; without limit, if 0."""
    rate_per_address: int = 6_000
    """How many one address may, on pages and without a key."""
    rate_per_customer: int = 600
    """How many one customer may, on his pages."""
    proxy_hops: int = 0
    """How many proxies stand before the service, each of which adds to `X-Forwarded-For`."""
    witness_url: str = ""
    """Where the witness is asked to cosign checkpoints; nowhere, where nothing is given."""
    witness_key: str = ""
    """The verifier key by which it is known, as `byleave witness init` printed it."""
    witness_home: Path = Path("byleave-witness")
    """The folder of a witness that runs on this machine: only its own process reads it."""
    erasures: Path = Path()
    """The list of erasures, which is never restored with the database; beside the keyring where nothing is given."""
    backup_retention_days: int = 14
    """How long backups of the database are kept."""
    kms_wait_days: int = 0
    """How long the key management system keeps a key after it was told to destroy it."""
    vault_address: str = ""
    """The Vault that holds the key-encryption key; the keyring file does, where nothing is given."""
    vault_token_file: Path = Path("vault-token")
    vault_key: str = "byleave"
    """The name of the transit key."""
    vault_mount: str = "transit"
    vault_namespace: str = ""
    vault_ca_file: Path = Path()
    """The authorities that sign the Vault's certificate; the system's where nothing is given."""
    vault_timeout_seconds: int = 5
    replay_days: int = 90
    """How long what decisions were made from is kept, sealed, so that they can be replayed."""
    four_eyes: bool | None = None
    """Whether somebody else has to approve a campaign than who published it; where nothing is given, on PostgreSQL."""

    run_engine: str = "local"
    """What carries runs on: processes of this machine (`local`), or Spark."""
    spark_master: str = "local[*,4]"
    """Where Spark is; on this machine, on all its cores, trying what fails four times, where nothing is given."""
    run_processes: int = 0
    """In how many processes of this machine a run goes; a process a core on PostgreSQL and 1 on SQLite, if 0."""

    def __post_init__(self) -> None:
        """Fill in what follows from other settings."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.home / 'byleave.db'}")
        if self.keyring == Path():
            object.__setattr__(self, "keyring", self.home / "keyring.json")
        if self.erasures == Path():
            object.__setattr__(self, "erasures", self.keyring.with_name(ERASURES))
        if not self.trusted_hosts:
            here = (str(urlsplit(self.base_url).hostname or ""),)
            hosts = here if self.environment == "production" else (*here, *_LOOPBACK)
            object.__setattr__(self, "trusted_hosts", tuple(dict.fromkeys(hosts)))

    @property
    def demands_four_eyes(self) -> bool:
        """Whether whoever published a campaign can't approve it: where many work together, unless they say no."""
        if self.four_eyes is None:
            return sa.make_url(self.database_url).get_backend_name() == "postgresql"
        return self.four_eyes

    @property
    def https(self) -> bool:
        """Whether people reach the pages over TLS."""
        return self.base_url.startswith("https://")

    @property
    def witness(self) -> WitnessPlace | None:
        """Where the witness is asked; None where there is none."""
        if not self.witness_url:
            return None
        return WitnessPlace(url=self.witness_url, key=key_of(self.witness_key))

    @property
    def vault(self) -> VaultPlace | None:
        """Where the key-encryption key is; None where it lies in the keyring file."""
        if not self.vault_address:
            return None
        return VaultPlace(
            address=self.vault_address,
            token_file=self.vault_token_file,
            key=self.vault_key,
            mount=self.vault_mount,
            namespace=self.vault_namespace,
            ca_file=None if self.vault_ca_file == Path() else self.vault_ca_file,
            timeout_seconds=self.vault_timeout_seconds,
        )

    @property
    def horizon(self) -> Horizon:
        """For how long after an erasure a backup can still be read."""
        return Horizon(backup_retention_days=self.backup_retention_days, kms_wait_days=self.kms_wait_days)

    @override
    def __repr__(self) -> str:
        """Show everything but the database's password."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        shown["database_url"] = sa.make_url(self.database_url).render_as_string(hide_password=True)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _text(given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError("must be text, and not empty")
    return given.strip()


def _folder(given: object) -> Path:
    return Path(_text(given)).expanduser()


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(given: object) -> int:
        number = int(given) if isinstance(given, str) and _DIGITS.fullmatch(given) else given
        if type(number) is not int or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return number

    return read


def _flag(given: object) -> bool:
    if isinstance(given, bool):
        return given
    if given not in ("true", "false"):
        raise ValueError("must be true or false")
    return given == "true"


def _database(given: object) -> str:
    try:
        address = sa.make_url(_text(given))
    except sa.exc.ArgumentError:
        raise ValueError("is not a database's address: sqlite:///FILE or postgresql://HOST/NAME") from None
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("must be sqlite:///FILE or postgresql://HOST/NAME")
    if address.get_backend_name() == "sqlite" and not address.database:
        raise ValueError("must name a file: a ledger in memory proves nothing")
    return _text(given)


def _name(given: object) -> str:
    name = _text(given)
    if not _HOST.fullmatch(name) or not ORIGIN.fullmatch(f"{name}/consent/2026h2"):
        raise ValueError("must be a host name in small letters, like shop.example")
    return name


def _base_url(given: object) -> str:
    url = _text(given).rstrip("/")
    try:
        parts = urlsplit(url)
        wrong = parts != SplitResult(parts.scheme, parts.netloc, "", "", "") or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or parts.scheme not in ("http", "https") or "@" in url or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("must be an address without a path, like https://shop.example")
    return url


def _hosts(given: object) -> tuple[str, ...]:
    listed = [host.strip() for host in given.split(",")] if isinstance(given, str) else given
    if not isinstance(listed, list) or not listed or not all(isinstance(h, str) and _HOST.fullmatch(h) for h in listed):
        raise ValueError("must be host names in small letters, without ports: shop.example, www.shop.example")
    return tuple(listed)


def _vault_address(given: object) -> str:
    url = _base_url(given)
    if url.startswith("http://") and urlsplit(url).hostname not in _THIS_MACHINE:
        raise ValueError("must be https: a token and keys go over it (http on this machine alone)")
    return url


def _vault_path(given: object) -> str:
    text = _text(given).strip("/")
    if not all(_VAULT_NAME.fullmatch(part) for part in text.split("/")):
        raise ValueError("must be names of letters, digits and -_. with / between them")
    return text


def _vault_name(given: object) -> str:
    text = _text(given)
    if not _VAULT_NAME.fullmatch(text):
        raise ValueError("must be a name of letters, digits and -_.")
    return text


def _witness_url(given: object) -> str:
    url = _text(given).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or "") or parts.query or "@" in url:
        raise ValueError("must be an address like http://witness.example:8300")
    return url


def _witness_key(given: object) -> str:
    try:
        key_of(_text(given))
    except NoteRefused as wrong:
        raise ValueError(f"must be the line that `byleave witness init` printed: {wrong.detail}") from None
    return _text(given)


def _engine(given: object) -> str:
    if given not in ("local", "spark"):
        raise ValueError("must be local or spark")
    return str(given)


def _spark_master(given: object) -> str:
    master = _text(given)
    if not _MASTER.fullmatch(master):
        raise ValueError("must be a master of Spark's: local[*,4], spark://host:7077, yarn, k8s://https://host:6443")
    return master


def _environment(given: object) -> Environment:
    match given:
        case "development" | "production":
            return given
        case _:
            raise ValueError("must be development or production")


_READ: Final[Mapping[str, Callable[[object], Any]]] = {
    "home": _folder,
    "database_url": _database,
    "keyring": _folder,
    "name": _name,
    "base_url": _base_url,
    "trusted_hosts": _hosts,
    "environment": _environment,
    "checkpoint_every_seconds": _whole(1, 60),
    "witness_url": _witness_url,
    "witness_key": _witness_key,
    "witness_home": _folder,
    "remind_days": _whole(0, 3_650),
    "session_idle_minutes": _whole(1, 1_440),
    "session_absolute_minutes": _whole(1, 10_080),
    "session_fresh_minutes": _whole(1, 1_440),
    "max_body_bytes": _whole(1_024, 67_108_864),
    "rate_per_key": _whole(0, _MOST_A_MINUTE),
    "rate_per_address": _whole(0, _MOST_A_MINUTE),
    "rate_per_customer": _whole(0, _MOST_A_MINUTE),
    "proxy_hops": _whole(0, 16),
    "erasures": _folder,
    "backup_retention_days": _whole(0, 3_650),
    "kms_wait_days": _whole(0, 365),
    "vault_address": _vault_address,
    "vault_token_file": _folder,
    "vault_key": _vault_name,
    "vault_mount": _vault_path,
    "vault_namespace": _vault_path,
    "vault_ca_file": _folder,
    "vault_timeout_seconds": _whole(1, 300),
    "replay_days": _whole(1, 3_650),
    "four_eyes": _flag,
    "run_engine": _engine,
    "run_processes": _whole(0, 256),
    "spark_master": _spark_master,
}


def read_settings(environ: Mapping[str, str] | None = None, *, folder: Path = Path()) -> Settings:
    """Read the settings.

    Args:
        environ: the variables; the process's own where left out.
        folder: where `byleave.toml` is looked for, and what `BYLEAVE_CONFIG` is relative to.

    Raises:
        SettingsInvalid: with every setting that is wrong, by the name under which it was given.
    """
    environ = os.environ if environ is None else environ
    places: list[Place] = []
    given = _given(environ, folder)
    read: dict[str, Any] = {}
    for setting, (called, value) in given.items():
        if setting not in _READ:
            places.append(Place(called, "is not a setting"))
            continue
        try:
            read[setting] = _READ[setting](value)
        except ValueError as wrong:
            places.append(Place(called, str(wrong)))
    if ("witness_url" in given) != ("witness_key" in given):
        places.append(Place(f"{PREFIX}WITNESS_KEY", "belongs to BYLEAVE_WITNESS_URL: give both, or neither"))
    if read.get("run_processes", 0) > 1 and not read.get("database_url", "").startswith("postgresql"):
        places.append(Place(given["run_processes"][0], "must be 1 on SQLite, which lets one writer in at a time"))
    places += _unfit_for_production(read, {setting: called for setting, (called, _) in given.items()})
    if places:
        raise SettingsInvalid(places=places)
    return Settings(**read)


def name_port(port: int, environ: MutableMapping[str, str] | None = None, *, folder: Path = Path()) -> None:
    """Have links lead to the port that is listened at, from this process and those it starts, if nobody said where."""
    environ = os.environ if environ is None else environ
    if "base_url" not in _given(environ, folder):
        environ[f"{PREFIX}BASE_URL"] = f"http://127.0.0.1:{port}"


def _given(environ: Mapping[str, str], folder: Path) -> dict[str, tuple[str, object]]:
    """Return each setting that was given: how it was called, and its value."""
    named = environ.get(PREFIX + "CONFIG", "")
    path = folder / (named or FILE)
    table = read_table(path, SettingsInvalid)[0] if named or path.exists() else {}
    given: dict[str, tuple[str, object]] = {key: (f"{path.name}: {key}", value) for key, value in table.items()}
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable != PREFIX + "CONFIG":
            given[variable.removeprefix(PREFIX).lower()] = (variable, value)
    return given


def _unfit_for_production(read: Mapping[str, Any], called: Mapping[str, str]) -> list[Place]:
    if read.get("environment") != "production":
        return []
    places = []
    if read.get("name", DEFAULT_NAME) == DEFAULT_NAME:
        places.append(Place(called.get("name", PREFIX + "NAME"), "must be given in production: the ledger bears it"))
    if not str(read.get("base_url", "http:")).startswith("https://"):
        places.append(Place(called.get("base_url", PREFIX + "BASE_URL"), "must be https in production"))
    return places
