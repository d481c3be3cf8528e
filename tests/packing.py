"""Evidence packs for tests: made in a small world, verified by their own verifier in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent.audit.packs import making, shelf
from consent.audit.packs.about import About, Subject
from consent.audit.packs.shelf import Pack
from consent.audit.reports.content import Explained
from tests.world import World

EXPLAINED = {"ledger": Explained("that bytes are as written.", "that all was entered.")}


def oldest_python() -> str:
    """Return the oldest Python here that the verifier is written for; this one, where there is no other."""
    for name in ("python3.9", "python3.10"):
        found = shutil.which(name)
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return found
    return sys.executable


def about(world: World, kind: str = "customer", **what: Any) -> About:
    """Return what a pack is about: Ann, where nothing else is said."""
    what = what or ({"customer": world.ann} if kind == "customer" else {})
    return About(kind=Subject(kind), **what)


def made(world: World, wanted: About, *, actor: str = "staff:cy") -> tuple[Pack, bytes]:
    """Ask for a pack, make it, and fetch it."""
    with world.store.write() as work:
        identity = shelf.ask(work, wanted, actor=actor, at=world.clock())
    pack = making.make(world.deployment, identity, explained=EXPLAINED)
    if pack.stage is not shelf.Stage.READY:
        return pack, b""  # why not, says its detail
    with world.store.read() as work:
        return pack, b"".join(shelf.body(world.deployment.desk, work, pack))


@dataclass(frozen=True)
class Verdict:
    """What the verifier said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.out)
        return read


def verified(program: Path, *arguments: object, python: str = sys.executable) -> Verdict:
    """Run a verifier alone: isolated, without site packages, without an environment, somewhere else."""
    command = [python, "-I", "-S", str(program), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=program.parent, env=_bare())
    return Verdict(ran.returncode, ran.stdout, ran.stderr)


ONE_BY_ONE = """
import contextlib, io, json, runpy, sys, traceback
_, program, *files = sys.argv
for file in files:
    sys.argv = [program, file]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(program, run_name="__main__")
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 70
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""
"""Runs a program for each of the files, as if it were started for each; prints its code and what it said."""


def verified_each(program: Path, files: Iterable[Path]) -> list[Verdict]:
    """Run a verifier, alone as `verified` does, on many packs in one process: starting it takes longest."""
    command = [sys.executable, "-I", "-S", "-c", ONE_BY_ONE, str(program), *map(str, files)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=program.parent, env=_bare())
    return [Verdict(*json.loads(line)) for line in ran.stdout.splitlines()]


def _bare() -> dict[str, str]:
    # A version manager's shim needs to know where it lives; the verifier looks at none of it.
    kept: Iterable[str] = ("PATH", "HOME", "PYENV_ROOT", "PYENV_VERSION")
    return {name: os.environ[name] for name in kept if name in os.environ}  # noqa: TID251 -- to leave the rest behind
