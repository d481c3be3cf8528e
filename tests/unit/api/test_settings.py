"""Settings: from variables and one file, all mistakes named at once, no secret shown."""

from pathlib import Path

import pytest

from api.settings import Settings, name_port, read_settings
from consent.base.errors import SettingsInvalid
from consent.deployment import VaultPlace


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
        checkpoint_every_seconds=30,
        session_idle_minutes=15,
        session_absolute_minutes=240,
        max_body_bytes=65_536,
    )


def test_a_variable_wins_over_the_file(tmp_path):
    (tmp_path / "byleave.toml").write_text(
        'session_idle_minutes = 6\nname = "shop.example"\ntrusted_hosts = ["a.example"]\n'
    )
    settings = read_settings({"BYLEAVE_SESSION_IDLE_MINUTES": "12"}, folder=tmp_path)
    assert (settings.session_idle_minutes, settings.name, settings.trusted_hosts) == (
        12,
        "shop.example",
        ("a.example",),
    )


def test_the_file_can_lie_elsewhere(tmp_path):
    (tmp_path / "other.toml").write_text("session_idle_minutes = 6\n")
    assert read_settings({"BYLEAVE_CONFIG": str(tmp_path / "other.toml")}).session_idle_minutes == 6


def test_a_file_that_is_named_has_to_be_there(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"other\.toml can't be read"):
        read_settings({"BYLEAVE_CONFIG": "other.toml"}, folder=tmp_path)


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path):
    (tmp_path / "byleave.toml").write_text("session_idle_minutes = \n")
    with pytest.raises(SettingsInvalid, match="line 1"):
        read_settings({}, folder=tmp_path)


def test_all_bad_settings_are_named_at_once(tmp_path):
    (tmp_path / "byleave.toml").write_text('max_body_bytes = 1.9\nname = "Shop"\ncolour = "red"\n')
    assert places(
        tmp_path,
        BYLEAVE_SESSION_IDLE_MINUTES="0",
        BYLEAVE_DATABSE_URL="sqlite:///x.db",
        BYLEAVE_BASE_URL="shop.example",
    ) == {
        "byleave.toml: max_body_bytes": "must be a whole number from 1,024 to 67,108,864",
        "byleave.toml: name": "must be a host name in small letters, like shop.example",
        "byleave.toml: colour": "is not a setting",
        "BYLEAVE_SESSION_IDLE_MINUTES": "must be a whole number from 1 to 1,440",
        "BYLEAVE_DATABSE_URL": "is not a setting",
        "BYLEAVE_BASE_URL": "must be an address without a path, like https://shop.example",
    }


@pytest.mark.parametrize(("setting", "value"), [
    ("SESSION_IDLE_MINUTES", "1.9"), ("SESSION_IDLE_MINUTES", "\N{FULLWIDTH DIGIT ONE}"),
    ("SESSION_IDLE_MINUTES", " 1"), ("SESSION_IDLE_MINUTES", "1e3"), ("SESSION_IDLE_MINUTES", ""),
    ("SESSION_IDLE_MINUTES", "9" * 20),
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


@pytest.mark.parametrize("text", ["session_idle_minutes = true", "trusted_hosts = [1]", "name = 1", "home = []"])
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


# ----------------------------------------------------------------------------------------------------- keys and backups


def test_keys_lie_in_a_file_and_the_list_of_erasures_beside_it_where_nothing_is_said(tmp_path):
    settings = read_settings({"BYLEAVE_KEYRING": "/run/keys/keyring.json"}, folder=tmp_path)
    assert (settings.vault, settings.erasures) == (None, Path("/run/keys/erasures.log"))
    assert (settings.horizon.days, settings.horizon.too_far) == (14, "")


def test_keys_can_lie_in_a_vault(tmp_path):
    settings = read_settings(
        {
            "BYLEAVE_VAULT_ADDRESS": "https://vault.shop.example:8200",
            "BYLEAVE_VAULT_TOKEN_FILE": "/run/vault/token",
            "BYLEAVE_VAULT_KEY": "shop",
            "BYLEAVE_VAULT_MOUNT": "engines/transit/",
            "BYLEAVE_VAULT_NAMESPACE": "shops/north",
            "BYLEAVE_VAULT_CA_FILE": "/etc/ssl/vault.pem",
            "BYLEAVE_VAULT_TIMEOUT_SECONDS": "3",
            "BYLEAVE_ERASURES": "/shared/erasures.log",
            "BYLEAVE_BACKUP_RETENTION_DAYS": "21",
            "BYLEAVE_KMS_WAIT_DAYS": "7",
        },
        folder=tmp_path,
    )
    assert settings.vault == VaultPlace(
        address="https://vault.shop.example:8200",
        token_file=Path("/run/vault/token"),
        key="shop",
        mount="engines/transit",
        namespace="shops/north",
        ca_file=Path("/etc/ssl/vault.pem"),
        timeout_seconds=3,
    )
    assert (settings.erasures, settings.horizon.days) == (Path("/shared/erasures.log"), 28)


BAD_VAULTS = {
    "BYLEAVE_VAULT_ADDRESS": (
        "http://vault.shop.example:8200", "must be https: a token and keys go over it (http on this machine alone)",
    ),
    "BYLEAVE_VAULT_KEY": ("sys/seal", "must be a name of letters, digits and -_."),
    "BYLEAVE_VAULT_MOUNT": ("transit/../x", "must be names of letters, digits and -_. with / between them"),
    "BYLEAVE_VAULT_NAMESPACE": ("a//b", "must be names of letters, digits and -_. with / between them"),
    "BYLEAVE_VAULT_TIMEOUT_SECONDS": ("0", "must be a whole number from 1 to 300"),
    "BYLEAVE_BACKUP_RETENTION_DAYS": ("-1", "must be a whole number from 0 to 3,650"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_VAULTS)
def test_a_bad_setting_of_keys_or_backups_is_named(name, tmp_path):
    given, why = BAD_VAULTS[name]
    assert places(tmp_path, **{name: given}) == {name: why}


def test_a_vault_on_this_machine_may_go_without_tls(tmp_path):
    settings = read_settings({"BYLEAVE_VAULT_ADDRESS": "http://127.0.0.1:8200/"}, folder=tmp_path)
    assert settings.vault_address == "http://127.0.0.1:8200"


def test_several_processes_for_a_run_need_postgresql(tmp_path):
    assert list(places(tmp_path, BYLEAVE_RUN_PROCESSES="2")) == ["BYLEAVE_RUN_PROCESSES"]
    on_it = {"BYLEAVE_RUN_PROCESSES": "2", "BYLEAVE_DATABASE_URL": "postgresql://shop@db/byleave"}
    assert read_settings(on_it, folder=tmp_path).run_processes == 2


@pytest.mark.parametrize(
    "master", ["local[*,4]", "local[2]", "spark://one:7077,two:7077", "yarn", "k8s://https://k:6443"]
)
def test_a_master_of_spark_is_taken(tmp_path, master):
    assert read_settings({"BYLEAVE_SPARK_MASTER": master}, folder=tmp_path).spark_master == master


@pytest.mark.parametrize("wrong", [{"BYLEAVE_SPARK_MASTER": "one:7077"}, {"BYLEAVE_RUN_ENGINE": "flink"}])
def test_what_is_no_engine_and_no_master_is_refused(tmp_path, wrong):
    assert list(places(tmp_path, **wrong)) == list(wrong)


def test_the_port_that_is_served_is_where_people_come_unless_a_setting_says_so(tmp_path):
    named: dict[str, str] = {}
    name_port(8_081, named, folder=tmp_path)
    assert read_settings(named, folder=tmp_path).base_url == "http://127.0.0.1:8081"
    said = {"BYLEAVE_BASE_URL": "https://shop.example"}
    name_port(8_081, said, folder=tmp_path)
    assert said == {"BYLEAVE_BASE_URL": "https://shop.example"}
    (tmp_path / "byleave.toml").write_text('base_url = "https://shop.example"\n')
    named = {}
    name_port(8_081, named, folder=tmp_path)
    assert named == {}
