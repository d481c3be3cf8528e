"""What a WSGI server starts: `granian --interface wsgi --factory api.wsgi:app`. Nothing happens at import."""

from flask import Flask

from api.app import create_app
from api.settings import read_settings
from api.wiring import open_house


def app() -> Flask:
    """Read the settings, open the house, and return its application.

    Raises:
        SettingsInvalid: with everything that is wrong.
    """
    return create_app(open_house(read_settings()))
