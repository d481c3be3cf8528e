"""Files that commands write: readable by their owner alone, and never over another."""

import os
from pathlib import Path

from api.cli.frame import Refused


def write_out(path: Path, body: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        Refused: there is one already, or it can't be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as there:
        raise Refused(f"{path} is there already: nothing was written") from there
    except OSError as refused:
        raise Refused(f"{path} can't be written: {refused.strerror}") from refused
    with os.fdopen(handle, "wb") as file:
        file.write(body)
