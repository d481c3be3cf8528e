"""What may be asked, in which words, now and at a past time; and what everybody is told of browsers' opt-outs."""

import hashlib

import pytest

from api.pages.words import languages
from consent.base.clock import rfc3339
from tests.builders import CATALOGUE, toml
from tests.world import FOUNDING


def test_the_catalogue_in_force_is_shown_with_its_bits(sqlite_world, shop):
    answer = shop.get("/api/v1/catalogue").get_json()
    [rule] = [each for each in answer["scopes"] if each["scope"] == "use:purchases:recommendations"]

    assert (answer["name"], answer["version"], len(answer["scopes"])) == ("A shop", 1, 26)
    assert rule == {
        "scope": "use:purchases:recommendations", "legal_basis": "consent",
        "notice": "use-purchases-recommendations", "notice_version": 1, "material_since": 1,
        "benefit": "Suggestions that go with what you have, and none for what you have already.", "validity": "P24M",
        "retention": "P24M", "double_opt_in": False, "minimum_age": 0, "gpc": False, "bit": 1,
    }  # fmt: skip
    digest = sqlite_world.rows("SELECT hash FROM catalogue_version")[0][0]
    assert answer["sha256"] == digest.hex()


def test_a_past_time_shows_the_version_of_then(sqlite_world, shop):
    """Rule 16: every view can be asked for a past time."""
    before = rfc3339(sqlite_world.clock())
    sqlite_world.clock.advance(days=1)
    sqlite_world.publish(toml(CATALOGUE))
    now = shop.get("/api/v1/catalogue").get_json()
    then = shop.get("/api/v1/catalogue", query_string={"as_of": before}).get_json()
    listed = shop.get("/api/v1/catalogue/versions").get_json()["data"]

    assert (now["version"], then["version"]) == (2, 1)
    assert [(each["version"], each["position"]) for each in listed] == [(1, 0), (2, FOUNDING)]
    assert [shop.get(f"/api/v1/catalogue/versions/{number}").get_json()["sha256"] for number in (1, 2)] == [
        each["sha256"] for each in listed
    ]


def test_every_wording_is_listed_with_its_hash_and_its_entry(shop):
    """Rule 4: byte for byte, matching its stored hash."""
    found = shop.get("/api/v1/notices").get_json()["data"]
    assert (len(found), {each["version"] for each in found}) == (17 * len(languages()), {1})
    assert [hashlib.sha256(each["wording"].encode()).hexdigest() for each in found] == [
        each["sha256"] for each in found
    ]
    assert sorted({each["position"] for each in found}) == list(range(1, 18))


@pytest.mark.parametrize(
    ("asked", "language"),
    [(None, "en"), ("de", "de"), ("de-AT", "de"), ("fr", "fr"), ("fr-CA", "fr"), ("it", "en"), ("en-GB", "en")],
)
def test_a_wording_is_shown_in_the_language_of_whoever_asks(shop, asked, language):
    found = shop.get("/api/v1/notices/courier/1", query_string={"language": asked} if asked else {}).get_json()
    words = {
        "en": "The courier gets your name", "de": "Der Kurier bekommt Ihren Namen",
        "fr": "Le transporteur reçoit votre nom",
    }  # fmt: skip
    assert (found["language"], found["wording"].startswith(words[language])) == (language, True)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/notices/courier/2", "/api/v1/notices/courier/0", "/api/v1/notices/courier/x",
        "/api/v1/notices/dreams/1", "/api/v1/catalogue/versions/2", "/api/v1/catalogue/versions/01",
        "/api/v1/catalogue/versions/9999999", "/api/v1/catalogue?as_of=2020-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_was_never_published_is_not_found(shop, path):
    assert shop.get(path).status_code == 404


def test_a_time_to_come_is_refused(shop):
    answer = shop.get("/api/v1/catalogue?as_of=2030-01-01T00:00:00Z")
    assert (answer.status_code, answer.get_json()["errors"][0]["parameter"]) == (422, "as_of")


@pytest.mark.parametrize("path", ["/api/v1/notices?x=1", "/api/v1/catalogue/versions?x=1", "/api/v1/catalogue?x=1"])
def test_a_parameter_that_is_not_known_is_refused(shop, path):
    assert shop.get(path).status_code == 400


def test_everybody_is_told_that_opt_outs_are_heeded(stranger):
    """Rule 8: the resource that the specification names, without a key."""
    answer = stranger.get("/.well-known/gpc.json")
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (
        200,
        "application/json",
        {"gpc": True, "lastUpdate": "2026-11-20"},
    )
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
