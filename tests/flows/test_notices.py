"""Wordings are published once, kept byte for byte, and shown again with their hash; the ledger tells of each."""

import hashlib

import pytest

from consent import notices
from consent.base.canonical import b64u
from consent.base.errors import CatalogueInvalid
from consent.base.ids import Scope
from consent.catalogue.reading import DEFAULT
from consent.notices import NoticeUnknown
from consent.register import history, publishing
from tests.builders import CATALOGUE, tables, toml
from tests.reference import b64u as plain_b64u

SCOPE, NOTICE = "use:purchases:recommendations", "use-purchases-recommendations"


def newer(*, version, material, en="May we, again?", **other):
    """Return the shipped catalogue with another version of one notice."""
    body = DEFAULT.read_text(encoding="utf-8")
    words = "".join(f"{language} = {text!r}\n" for language, text in {"en": en, **other}.items())
    head = f'key = "{NOTICE}"\nversion = {version}\nmaterial = {str(material).lower()}\n'
    return f"{body}\n[[notice]]\n{head}[notice.wording]\n{words}"


def published(world, key=NOTICE):
    with world.store.read() as work:
        return notices.published(work, key)


def told(world, position):
    with world.store.read() as work:
        return publishing.noted(world.deployment.desk, work, 1, position)


def test_each_notice_version_has_an_entry_with_the_hash_of_each_language(world):
    """Rule 4: for any event the byte-exact wording can be shown, matching its stored hash."""
    world.publish(newer(version=2, material=True, de="Dürfen wir, noch einmal?"))
    old, new = [one for one in published(world) if one.language == "de"]

    entry = told(world, new.position)
    assert (old.version, new.version, new.wording) == (1, 2, "Dürfen wir, noch einmal?")
    assert [hashlib.sha256(one.wording.encode()).digest() for one in (old, new)] == [old.digest, new.digest]
    assert entry == {
        "actor": world.mia, "catalogue": 2, "notice": NOTICE, "version": 2, "material": True,
        "languages": ["de", "en"], "hashes": [b64u(new.digest), plain_b64u(hashlib.sha256(b"May we, again?").digest())],
    }  # fmt: skip
    kinds = [body.decode() for (body,) in world.rows("SELECT body FROM ledger_entry ORDER BY seq")]
    assert sum('"t":"notice.published"' in body for body in kinds) == 17 + 1
    world.check_ledger()


def test_what_a_customer_was_shown_is_found_again_after_the_words_have_changed(world):
    """Rule 4: and so it is after a material version has come."""
    first = world.grant(world.bo, SCOPE, language="de-AT")
    world.publish(newer(version=2, material=True))
    second = world.grant(world.bo, SCOPE, language="fr")
    with world.store.read() as work:
        said = history.of_customer(world.deployment.desk, work, world.bo)
        shown = [
            notices.wording(work, NOTICE, (one.statement.notices or {})[Scope(SCOPE)], one.statement.language)
            for one in said
        ]

    assert [one.seq for one in said] == [first.seq, second.seq]
    assert [(one.version, one.language) for one in shown] == [(1, "de"), (2, "en")]
    assert [one.wording[:22] for one in shown] == ["Dürfen wir Ihre Einkäu", "May we, again?"]
    assert [one.digest for one in shown] == [hashlib.sha256(one.wording.encode()).digest() for one in shown]


def test_a_minor_version_changes_no_verdict_and_a_material_one_asks_again(world):
    """Rule 4: a material notice version makes earlier consents NOTICE_STALE until reaffirmed, a minor one doesn't."""
    found = [world.reason(world.ann, SCOPE)]
    world.publish(newer(version=2, material=False))
    found.append(world.reason(world.ann, SCOPE))
    world.publish(newer(version=3, material=True))
    found.append(world.reason(world.ann, SCOPE))
    world.grant(world.ann, SCOPE)
    found.append(world.reason(world.ann, SCOPE))

    assert found == ["PERMIT", "PERMIT", "NOTICE_STALE", "PERMIT"]
    world.check_ledger()


def test_an_older_wording_shown_late_does_not_count_for_the_newer_one(world):
    """Rule 4: it is the wording shown that counts, not the day."""
    world.publish(newer(version=2, material=True))
    world.grant(world.bo, SCOPE, notice_version=1)
    assert world.reason(world.bo, SCOPE) == "NOTICE_STALE"
    world.grant(world.bo, SCOPE, notice_version=2)
    assert world.reason(world.bo, SCOPE) == "PERMIT"


def test_words_that_were_published_cannot_be_changed_under_their_version(world):
    changed = DEFAULT.read_text(encoding="utf-8").replace("May we use what you bought", "May we sell what you bought")
    size = world.size()
    with pytest.raises(CatalogueInvalid) as refused:
        world.publish(changed)

    assert [tuple(place) for place in refused.value.places] == [
        (f"notice {NOTICE} version 1, wording.en", "was published in other words: give it a new version")
    ]
    assert world.size() == size
    world.check_ledger()


def test_a_language_may_be_added_and_has_an_entry_of_its_own(world):
    added = DEFAULT.read_text(encoding="utf-8").replace(
        'en = "May we use what you bought', 'it = "Possiamo?"\nen = "May we use what you bought'
    )
    world.publish(added)

    [italian] = [one for one in published(world) if one.language == "it"]
    assert (told(world, italian.position)["languages"], italian.version) == (["it"], 1)
    with world.store.read() as work:
        spoken = [notices.wording(work, NOTICE, 1, code).language for code in ("it-CH", "de", "nl", "")]
    assert spoken == ["it", "de", "en", "en"]


def test_a_notice_that_comes_back_is_not_told_of_again(world):
    world.publish(toml(CATALOGUE))
    size = world.size()
    world.publish(DEFAULT.read_text(encoding="utf-8") + "\n# as before\n")
    assert world.size() == size + 1


POST = "contact:post:offers"


def asked_otherwise(given, *, key="words", version=1, basis="consent"):
    """Return the test's catalogue with one scope asked for in another notice, or on another basis."""
    known = [each for each in given["notice"] if (each["key"], each["version"]) == (key, version)]
    notice = {"key": key, "version": version, "material": True, "wording": {"en": f"May we, {version}?"}}
    scopes = [
        {**each, "notice": key, "legal_basis": basis} if each["scope"] == POST else each for each in given["scope"]
    ]
    return toml({**given, "notice": [*given["notice"], *([] if known else [notice])], "scope": scopes})


@pytest.mark.parametrize(
    ("other", "enough"),
    [({"key": "other"}, {"version": 2}), ({"basis": "explicit_consent"}, {"version": 2})],
)
def test_a_yes_to_other_words_or_of_less_weight_counts_for_nothing_else(world, other, enough):
    """Rules 4 and 15: what stands knows a version's number, so another notice, or a stronger basis, begins above it."""
    world.publish(toml(CATALOGUE))
    world.clock.advance(seconds=1)
    world.grant(world.bo, POST)
    size = world.size()
    with pytest.raises(CatalogueInvalid) as refused:
        world.publish(asked_otherwise(tables(), **other))
    assert [place.where for place in refused.value.places] == [f"scope {POST}, notice"]
    assert (world.size(), world.reason(world.bo, POST)) == (size, "PERMIT")
    world.publish(asked_otherwise(tables(), **other, **enough))
    assert world.reason(world.bo, POST) == "NOTICE_STALE"
    world.check_ledger()


def test_a_version_that_was_material_stays_material(world):
    """Rule 4: whom a wording asks again it goes on asking; nobody calls it minor afterwards."""
    world.publish(newer(version=2, material=True))
    with pytest.raises(CatalogueInvalid) as refused:
        world.publish(newer(version=2, material=False))
    assert [place.where for place in refused.value.places] == [f"notice {NOTICE} version 2, material"]
    assert world.reason(world.ann, SCOPE) == "NOTICE_STALE"


@pytest.mark.parametrize(("key", "version"), [(NOTICE, 2), (NOTICE, 0), (NOTICE, -1), ("dreams", 1), ("", 1)])
def test_a_wording_that_was_never_published_is_unknown(sqlite_world, key, version):
    with sqlite_world.store.read() as work, pytest.raises(NoticeUnknown):
        notices.wording(work, key, version, "en")


# --------------------------------------------------------------------------------------------- what may be published


def derived(**changes):
    """Return a catalogue with a category that is made from others."""
    given = tables()
    health = next(each for each in given["category"] if each["key"] == "health")
    health.update({"origin": "inferred", "from": ["purchases"], **changes})
    return given


def refusals(world, given):
    with pytest.raises(CatalogueInvalid) as refused:
        world.publish(toml(given))
    return [place.where for place in refused.value.places]


def test_a_special_category_is_inferred_on_explicit_consent_alone(sqlite_world):
    """Rule 15: inferring a special category without explicit consent is refused at publishing."""
    without = derived()
    without["scope"] = [each for each in without["scope"] if each["scope"] != "remember:health"]
    consented = derived()
    plain = derived()
    next(each for each in plain["scope"] if each["scope"] == "remember:health")["legal_basis"] = "consent"

    assert refusals(sqlite_world, without) == ["category health, origin"]
    assert refusals(sqlite_world, plain) == ["scope[3].legal_basis"]
    assert sqlite_world.publish(toml(consented)) == 2


def test_what_is_made_from_a_special_category_is_special(sqlite_world):
    """Rule 15: nothing special is laundered by deriving it."""
    laundered = tables()
    laundered["category"].append(
        {"key": "fit", "title": "Fitness", "origin": "derived", "special": False, "from": ["health"],
         "attributes": {"fitness": "number"}}
    )  # fmt: skip
    assert refusals(sqlite_world, laundered) == ["category fit, special"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"origin": "provided"}, "category health, from"),
        ({"from": ["dreams"]}, "category health, from"),
        ({"from": ["health"]}, "category health, from"),
    ],
)
def test_what_a_category_is_made_from_is_another_one(sqlite_world, changes, where):
    assert refusals(sqlite_world, derived(**changes)) == [where]


def test_a_browser_cannot_opt_out_of_what_was_ordered(sqlite_world):
    given = tables()
    next(each for each in given["scope"] if each["scope"] == "share:courier:service")["gpc"] = True
    assert refusals(sqlite_world, given) == ["scope share:courier:service, gpc"]


def test_a_version_of_before_is_read_though_it_could_no_longer_be_published(sqlite_world):
    given = tables()
    sqlite_world.publish(toml(given))
    before = sqlite_world.reason(sqlite_world.ann, "share:courier:service", gpc=True)
    next(each for each in given["scope"] if each["scope"] == "share:courier:service")["gpc"] = True
    sqlite_world.tamper("DROP TRIGGER catalogue_version__update")
    sqlite_world.tamper("UPDATE catalogue_version SET body = :body WHERE version = 2", body=toml(given))
    sqlite_world.deployment.desk.catalogues.forget(2)

    assert (before, sqlite_world.reason(sqlite_world.ann, "share:courier:service", gpc=True)) == ("PERMIT", "PERMIT")


def test_rule_4_a_material_version_that_was_published_stays_in_the_file(world):
    """Without it, whoever had been asked again would count as asked."""
    world.publish(newer(version=2, material=True))
    with pytest.raises(CatalogueInvalid) as refused:
        world.publish(newer(version=3, material=False))

    assert ("scope use:purchases:recommendations, notice", "keep it in the file") in [
        (place.where, place.why.rpartition(": ")[2]) for place in refused.value.places
    ]
    assert world.reason(world.ann, "use:purchases:recommendations") == "NOTICE_STALE"
