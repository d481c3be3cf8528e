"""The web application for tests: routes and templates are compiled once for each way to set one up."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from flask import Flask

from api.app import create_app
from api.settings import Settings
from api.wiring import EXTENSION, House

_MADE: Final[dict[Settings, Flask]] = {}


def served(house: House) -> Flask:
    """Return the application of a house; whichever house of the same settings had it before has it no longer.

    What differs between the worlds of two tests is where they lie, which an application asks its house for at each
    request.
    """
    dialect = house.settings.database_url.partition(":")[0]
    alike = replace(house.settings, database_url=dialect, keyring=Path("keyring.json"), erasures=Path("erasures"))
    if alike not in _MADE:
        _MADE[alike] = create_app(house)
    _MADE[alike].extensions[EXTENSION] = house
    return _MADE[alike]
