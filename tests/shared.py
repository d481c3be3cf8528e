"""What lies beside the checkout in `../shared`: real data and published vectors, read in place, never copied."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def shared(*parts: str) -> Path:
    """Return a file or folder of `../shared`. Without `../shared` the test is skipped; with it, all must be there."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: nothing to compare with")
    path = SHARED.joinpath(*parts)
    assert path.exists(), f"../shared is here, {'/'.join(parts)} is not"
    return path
