"""What runs until it is stopped: it answers, it works, and it stops when it is told to."""

import hashlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.faces.cli.conftest import Shell
from tests.faces.cli.test_help import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
TRIES = 300
PAUSE = 0.1


@contextmanager
def started(shell: Shell, path: str, **values: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command as its example does, on a port that is free; make an end of it and of its processes."""
    words = shlex.split(COMMANDS[path].example)[1:]
    for option, value in values.items():
        words[words.index(f"--{option}") + 1] = str(value)
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words], cwd=shell.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath}, start_new_session=True,
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


def test_the_example_of_worker_works_until_it_is_stopped(shell: Shell):
    with started(shell, "worker") as process:
        assert works(shell) == "ok"
        assert stopped(process) == 0


def test_the_example_of_witness_serve_answers_until_it_is_stopped(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    key = shell("ledger", "vkey").out.strip()
    assert shell("witness", "init", "--name", "witness.example/w1", "--trust", key).code == 0
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
