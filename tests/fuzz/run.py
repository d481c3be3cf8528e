"""`make fuzz`: look for bytes that break a reader, guided by coverage, for a given time each.

Every target runs in a process of its own, so that one that dies or hangs stops no other. Bytes that break one are kept
beside it (`crash-…`): `python -m tests.fuzz.one NAME 0 FOLDER FILE` tries them again.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.fuzz.targets import BY_NAME

ROOT: Final = Path(__file__).parents[2]


def main() -> int:
    """Run the targets that are asked for, one after the other; return 1 where one was broken."""
    given = argparse.ArgumentParser(prog="make fuzz")
    given.add_argument("--seconds", type=int, default=60, help="for each target")
    given.add_argument("--found", type=Path, default=ROOT / ".fuzz", help="where inputs are kept, from run to run")
    given.add_argument("targets", nargs="*", default=[], metavar="TARGET", help=", ".join(BY_NAME))
    asked = given.parse_args()
    unknown = sorted(set(asked.targets) - set(BY_NAME))
    if unknown:
        given.error(f"no target is called {unknown[0]!r}: choose from {', '.join(BY_NAME)}")
    names = asked.targets or list(BY_NAME)
    broken = [name for name in names if _apart(name, asked.found, asked.seconds)]
    sys.stdout.write(f"{len(names)} targets, broken: {', '.join(broken) or 'none'}\n")
    return 1 if broken else 0


def _apart(name: str, found: Path, seconds: int) -> int:
    """Look into one target in a process of its own."""
    sys.stdout.write(f"{name}: {seconds} s\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(seconds), str(found / name)]
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if ran.returncode:
        sys.stdout.write(f"{ran.stdout}{ran.stderr}\n")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
