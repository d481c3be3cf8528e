"""What a WSGI server starts: `granian --interface wsgi --factory api.wsgi:app`. Nothing happens at import."""

from flask import Flask

from api import erasing, watch
from api.app import create_app
from api.settings import read_settings
from api.wiring import open_house


def app() -> Flask:
    """Read the settings, open the house, start to watch over the worker, and return the application.

    Raises:
        SettingsInvalid: with everything that is wrong.
        RolledBack: a backup was restored, and nobody has settled it: nothing is served from it.
        DatabaseDown, KmsDown: the database or the key management system does not answer.
    """
    house = open_house(read_settings())
    erasing.check(house)
    house.look_at_witness()
    watch.start(house)
    return create_app(house)
