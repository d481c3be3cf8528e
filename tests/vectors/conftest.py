"""Where the published vectors lie: beside the checkout, as data, never copied into it."""

import pytest

from tests.shared import shared


@pytest.fixture(scope="session")
def published():
    """Return the folder of published vectors."""
    return shared("vectors")
