"""Settings: from variables and one file, all mistakes named at once, no secret shown."""

from pathlib import Path

import pytest

from api.settings import Settings, read_settings
from consent.base.errors import SettingsInvalid


def places(folder, **environ):
    with pytest.raises(SettingsInvalid) as refused:
        read_settings(environ, folder=folder)
    return dict(refused.value.places)


def test_nothing_has_to_be_set(tmp_path):
    settings = read_settings({"PATH": "/bin"}, folder=tmp_path)

    assert settings == Settings()
    assert settings.database_url == "sqlite:///byleave-home/byleave.db"
    assert settings.keyring == Path("byleave-home/keyring.json")
    assert settings.trusted_hosts == ("127.0.0.1", "localhost")
    assert settings.https is False


def test_files_lie_at_home(tmp_path):
    settings = read_settings({"BYLEAVE_HOME": "/srv/shop"}, folder=tmp_path)
    assert (settings.database_url, settings.keyring) == (
        "sqlite:////srv/shop/byleave.db",
        Path("/srv/shop/keyring.json"),
    )


def test_every_setting_can_be_a_variable(tmp_path):
    settings = read_settings(
        {
            "BYLEAVE_DATABASE_URL": "postgresql://shop@db/byleave",
            "BYLEAVE_KEYRING": "/run/keys/keyring.json",
            "BYLEAVE_NAME": "shop.example",
            "BYLEAVE_BASE_URL": "https://leave.shop.example/",
            "BYLEAVE_TRUSTED_HOSTS": "leave.shop.example, .shop.example",
            "BYLEAVE_ENVIRONMENT": "production",
            "BYLEAVE_AUDIT_EVERY_HOURS": "6",
            "BYLEAVE_CHECKPOINT_EVERY_SECONDS": "30",
            "BYLEAVE_SESSION_IDLE_MINUTES": "15",
            "BYLEAVE_SESSION_ABSOLUTE_MINUTES": "240",
            "BYLEAVE_MAX_BODY_BYTES": "65536",
        },
        folder=tmp_path,
    )
    assert settings == Settings(
        database_url="postgresql://shop@db/byleave",
        keyring=Path("/run/keys/keyring.json"),
        name="shop.example",
        base_url="https://leave.shop.example",
        trusted_hosts=("leave.shop.example", ".shop.example"),
        environment="production",
        audit_every_hours=6,
        checkpoint_every_seconds=30,
        session_idle_minutes=15,
        session_absolute_minutes=240,
        max_body_bytes=65_536,
    )


def test_a_variable_wins_over_the_file(tmp_path):
    (tmp_path / "byleave.toml").write_text(
        'audit_every_hours = 6\nname = "shop.example"\ntrusted_hosts = ["a.example"]\n'
    )
    settings = read_settings({"BYLEAVE_AUDIT_EVERY_HOURS": "12"}, folder=tmp_path)
    assert (settings.audit_every_hours, settings.name, settings.trusted_hosts) == (12, "shop.example", ("a.example",))


def test_the_file_can_lie_elsewhere(tmp_path):
    (tmp_path / "other.toml").write_text("audit_every_hours = 6\n")
    assert read_settings({"BYLEAVE_CONFIG": str(tmp_path / "other.toml")}).audit_every_hours == 6


def test_a_file_that_is_named_has_to_be_there(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"other\.toml can't be read"):
        read_settings({"BYLEAVE_CONFIG": "other.toml"}, folder=tmp_path)


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path):
    (tmp_path / "byleave.toml").write_text("audit_every_hours = \n")
    with pytest.raises(SettingsInvalid, match="line 1"):
        read_settings({}, folder=tmp_path)


def test_all_bad_settings_are_named_at_once(tmp_path):
    (tmp_path / "byleave.toml").write_text('max_body_bytes = 1.9\nname = "Shop"\ncolour = "red"\n')
    assert places(
        tmp_path, BYLEAVE_AUDIT_EVERY_HOURS="0", BYLEAVE_DATABSE_URL="sqlite:///x.db", BYLEAVE_BASE_URL="shop.example"
    ) == {
        "byleave.toml: max_body_bytes": "must be a whole number from 1,024 to 67,108,864",
        "byleave.toml: name": "must be a host name in small letters, like shop.example",
        "byleave.toml: colour": "is not a setting",
        "BYLEAVE_AUDIT_EVERY_HOURS": "must be a whole number from 1 to 8,760",
        "BYLEAVE_DATABSE_URL": "is not a setting",
        "BYLEAVE_BASE_URL": "must be an address without a path, like https://shop.example",
    }


@pytest.mark.parametrize(("setting", "value"), [
    ("AUDIT_EVERY_HOURS", "1.9"), ("AUDIT_EVERY_HOURS", "\N{FULLWIDTH DIGIT ONE}"), ("AUDIT_EVERY_HOURS", " 1"),
    ("AUDIT_EVERY_HOURS", "1e3"), ("AUDIT_EVERY_HOURS", ""), ("AUDIT_EVERY_HOURS", "9" * 20),
    ("DATABASE_URL", "mysql://db/x"), ("DATABASE_URL", "nonsense"), ("DATABASE_URL", "sqlite://"),
    ("BASE_URL", "ftp://shop.example"), ("BASE_URL", "https://shop.example/path"), ("BASE_URL", "https://"),
    ("BASE_URL", "https://me:pass@shop.example"), ("BASE_URL", "https://shop.example:x"), ("BASE_URL", "https://[::1"),
    ("BASE_URL", "https://shop.example?x=1"), ("BASE_URL", "https://Shop example"),
    ("TRUSTED_HOSTS", ""), ("TRUSTED_HOSTS", "*"), ("TRUSTED_HOSTS", "shop.example:443"), ("TRUSTED_HOSTS", "a, ,b"),
    ("DATABASE_URL", " "), ("ENVIRONMENT", "staging"), ("NAME", ""), ("NAME", "shop example"), ("NAME", "-"),
    ("HOME", ""), ("KEYRING", " "),
])  # fmt: skip
def test_a_bad_value_is_named_by_its_variable(tmp_path, setting, value):
    assert list(places(tmp_path, **{f"BYLEAVE_{setting}": value})) == [f"BYLEAVE_{setting}"]


@pytest.mark.parametrize("text", ["audit_every_hours = true", "trusted_hosts = [1]", "name = 1", "home = []"])
def test_a_file_gives_values_of_their_own_type(tmp_path, text):
    (tmp_path / "byleave.toml").write_text(text)
    assert list(places(tmp_path)) == [f"byleave.toml: {text.split(' = ')[0]}"]


def test_production_needs_a_name_and_tls(tmp_path):
    assert places(tmp_path, BYLEAVE_ENVIRONMENT="production") == {
        "BYLEAVE_NAME": "must be given in production: the ledger bears it",
        "BYLEAVE_BASE_URL": "must be https in production",
    }


def test_in_production_only_the_own_host_is_trusted(tmp_path):
    settings = read_settings(
        {
            "BYLEAVE_ENVIRONMENT": "production",
            "BYLEAVE_NAME": "shop.example",
            "BYLEAVE_BASE_URL": "https://shop.example",
        },
        folder=tmp_path,
    )
    assert (settings.trusted_hosts, settings.https) == (("shop.example",), True)


def test_no_password_is_shown():
    settings = Settings(database_url="postgresql://shop:geheim@db/byleave")
    assert "geheim" not in repr(settings)
    assert "postgresql://shop:***@db/byleave" in repr(settings)


def test_a_mistake_does_not_repeat_what_was_given(tmp_path):
    with pytest.raises(SettingsInvalid) as refused:
        read_settings({"BYLEAVE_DATABASE_URL": "mysql://shop:geheim@db/x"}, folder=tmp_path)
    assert "geheim" not in str(refused.value)
