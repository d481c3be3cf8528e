"""Where the published vectors lie: beside the checkout, as data, never copied into it."""

from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors"


@pytest.fixture(scope="session")
def published():
    """Return the folder of published vectors; without it there is nothing to compare with."""
    if not VECTORS.is_dir():
        pytest.skip("the published vectors are not here (looked in ../shared/vectors)")
    return VECTORS
