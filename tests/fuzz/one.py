"""One target, fed for a time with bytes that atheris makes up; started by `run.py`, in a process of its own."""

import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["consent", "personalise"]):
    from tests.fuzz.targets import BY_NAME, spoilt

SEEDS: Final = 50
LONGEST: Final = 16_384
"""Bytes of an input; a reader's own limits are tested elsewhere."""
HANGS_AFTER: Final = 20
"""Seconds that one input may take."""


def main(name: str, seconds: str, kept: str, *files: str) -> None:
    """Feed a target until the time is over, or something breaks it: then the process ends with that.

    With files, try these alone.
    """
    target, folder = BY_NAME[name], Path(kept)
    folder.mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate((*target.seeds, *spoilt(target.seeds, SEEDS, seed=1))):
        (folder / f"seed-{number:03}").write_bytes(raw)
    options = {
        "max_total_time": seconds, "max_len": LONGEST, "timeout": HANGS_AFTER, "artifact_prefix": f"{folder}-",
        "print_final_stats": 1,
    }  # fmt: skip
    atheris.Setup([name, *(f"-{key}={value}" for key, value in options.items()), *(files or (str(folder),))], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
