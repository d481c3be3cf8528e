"""What runs until it is stopped: it answers, it works, and it stops when it is told to."""

import hashlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.faces.cli.conftest import SOMEBODY, Shell
from tests.faces.cli.test_help import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
TRIES = 300
SETTLED = 2.0
"""Seconds after which every process of a server that answers is up, mostly."""
PAUSE = 0.1


@contextmanager
def started(
    shell: Shell, path: str, settings: Mapping[str, str] = MappingProxyType({}), **values: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command as its example does, on a port that is free; make an end of it and of its processes."""
    words = shlex.split(COMMANDS[path].example)[1:]
    for option, value in values.items():
        words[words.index(f"--{option}") + 1] = str(value)
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words], cwd=shell.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **settings}, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def answered(process: subprocess.Popen[bytes], address: str) -> tuple[int, bytes]:
    """Return what is answered, once anybody does."""
    for _ in range(TRIES):
        assert process.poll() is None, process.communicate()[1].decode()
        try:
            with urlopen(address, timeout=5) as answer:  # noqa: S310 -- our own server
                return int(answer.status), bytes(answer.read())
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read()
        except URLError:
            time.sleep(PAUSE)
    raise AssertionError(address)


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return process.returncode


def test_the_example_of_serve_answers_and_works_until_it_is_stopped(shell: Shell):
    port = free_port()
    with started(shell, "serve", port=port) as process:
        assert answered(process, f"http://127.0.0.1:{port}/healthz")[0] == 200
        assert works(shell) == "ok"
        assert stopped(process) == 0


def test_a_body_that_is_sent_in_chunks_is_taken_whole_or_not_at_all(shell: Shell):
    token = shell("key", "create", "shop", "--scope", "consent:write", "--json").json["key"]
    port, most = free_port(), 1_048_576
    with started(shell, "serve", port=port) as process:
        answered(process, f"http://127.0.0.1:{port}/healthz")
        whole = b'{"reference": "Zo"}'.ljust(most)
        answers = [in_chunks(port, token, [whole, more]) for more in (b" ", b"rubbish", b"x" * most)]
        assert answers == [(413, "too_large")] * 3
        assert shell("customer", "show", "Zo").code == 2
        assert in_chunks(port, token, [whole[:100], whole[100:]])[0] == 200
        assert shell("customer", "show", "Zo").code == 0


def in_chunks(port: int, token: str, parts: list[bytes]) -> tuple[int, object]:
    """Enrol somebody with a body of no announced length; return the status and the problem's code."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "chunks"}
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as server:
        server.request("POST", "/api/v1/customers", body=iter(parts), headers=headers, encode_chunked=True)
        answer = server.getresponse()
        return answer.status, json.loads(answer.read()).get("code")


def test_links_lead_to_the_port_that_is_served_unless_a_setting_says_where_people_come(shell: Shell):
    for settings, base in (({}, ""), ({"BYLEAVE_BASE_URL": "http://127.0.0.1:8123"}, "http://127.0.0.1:8123")):
        port = free_port()
        with started(shell, "serve", settings, port=port) as process:
            status, told = answered(process, f"http://127.0.0.1:{port}/api/v1/campaigns")
            assert status == 401
            assert json.loads(told)["type"] == f"{base or f'http://127.0.0.1:{port}'}/problems/not_signed_in"
            time.sleep(SETTLED)  # who is stopped while he starts is waited for
            stopped(process)


def test_the_example_of_worker_works_until_it_is_stopped(shell: Shell):
    with started(shell, "worker") as process:
        assert works(shell) == "ok"
        assert stopped(process) == 0


def test_the_worker_lets_go_of_what_decisions_were_made_from_after_as_many_days_as_the_settings_say(shell: Shell):
    key = re.search(r'\[campaign\]\nkey = "(.+)"', (shell.folder / "campaign.toml").read_text(encoding="utf-8"))
    assert key
    old, new = (shell("decide", SOMEBODY, "--campaign", key[1], "--json").json["decision"] for _ in range(2))
    with closing(sqlite3.connect(shell.database)) as database, database:
        aged = "UPDATE decision_input SET at = at - 3 * 86400000 WHERE chunk = ?"
        assert database.execute(aged, [old.partition(".")[0]]).rowcount == 1
        assert database.execute(aged.replace("3", "1", 1), [new.partition(".")[0]]).rowcount == 1
    assert [shell("decision", "replay", each).code for each in (old, new)] == [0, 0]
    with started(shell, "worker", {"BYLEAVE_REPLAY_DAYS": "2"}) as process:
        for _ in range(TRIES):
            if dropped(shell):
                break
            time.sleep(PAUSE)
        assert stopped(process) == 0

    assert dropped(shell) == [old.partition(".")[0]]
    with pytest.raises(SystemExit, match="3"):
        shell("decision", "replay", old)
    assert "what they were made from was let go of" in shell.capsys.readouterr().out
    assert [shell("decision", *asked).code for asked in (("replay", new), ("show", old))] == [0, 0]


@pytest.mark.parametrize("days", ["0", "3651", "ninety", ""])
def test_days_that_are_none_are_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch, days: str):
    monkeypatch.setenv("BYLEAVE_REPLAY_DAYS", days)
    refused = shell("doctor")

    assert (refused.code, "BYLEAVE_REPLAY_DAYS" in refused.err) == (2, True)


def dropped(shell: Shell) -> list[str]:
    """Return the chunks of which nothing to replay is kept any more."""
    with closing(sqlite3.connect(shell.database)) as database:
        return [row[0] for row in database.execute("SELECT chunk FROM decision_input WHERE dropped_at IS NOT NULL")]


def test_the_example_of_witness_serve_answers_until_it_is_stopped(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    key = shell("ledger", "vkey").out.strip()
    made = shell("witness", "init", "--name", "witness.example/w1", "--trust", key)
    assert (made.code, "`byleave witness serve`" in made.out) == (0, True)
    there = shell("witness", "init", "--name", "witness.example/w2", "--home", "a folder")
    assert f"`byleave witness serve --home '{shell.folder / 'a folder'}'`" in there.out
    port, origin = free_port(), key.partition("+")[0]
    with started(shell, "witness serve", port=port) as process:
        name = hashlib.sha256(origin.encode()).hexdigest()
        status, said = answered(process, f"http://127.0.0.1:{port}/{name}/checkpoint")
        assert (status, said) == (404, b"this witness never cosigned such a log\n")
        assert stopped(process) == 0


def works(shell: Shell) -> str:
    """Return what the doctor says of the worker, once there is one."""
    for _ in range(TRIES):
        checks = {each["check"]: each["state"] for each in shell("doctor", "--json").json["checks"]}
        if checks["worker"] == "ok":
            break
        time.sleep(PAUSE)
    return str(checks["worker"])
