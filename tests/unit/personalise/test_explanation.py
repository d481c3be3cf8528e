"""What a customer, and whoever asks for him, is told: one sentence, and a verdict a candidate."""

import pytest

from consent.base.clock import to_ms
from consent.permission.verdict import Reason
from personalise.campaigns.reading import parse_campaign
from personalise.decide import decide
from personalise.steps.personalise.explanation import explanation, verdicts
from personalise.steps.personalise.policy import policy
from personalise.steps.personalise.sentences import LANGUAGES
from tests.builders import START, published_catalogue, toml
from tests.campaigns import INTERESTS, LETTER, MAIL, PURCHASES, TABLES, TEXT, columns, tables, the_policy

POLICY = the_policy()
ALL = (MAIL, TEXT, LETTER)
NOW = to_ms(START)


def row_of(chosen=POLICY, **row):
    [found] = decide(columns(chosen, row), chosen, START).to_pylist()
    return found


def of_service():
    """Return the policy of a campaign that serves, and reads what nobody is asked for."""
    catalogue = published_catalogue()
    written = tables(
        campaign={"purpose": "service", "measurement": "service", "received": "last", "audience": "opened > 1"},
        objective={"measure": "opened"},
        cap=[],
        offer=[TABLES["offer"][1]],
        treatment=[{**TABLES["treatment"][0], "offer": "guide", "score": "spent"}],
    )
    return policy(parse_campaign(toml(written), "toml", catalogue), 1, catalogue)


def told(chosen=POLICY, language="en", **row):
    return explanation(row_of(chosen, **row), chosen, language=language)


def verdict(spot, chosen=POLICY, **row):
    """Return the verdict of one candidate: stage, rule, observed, limit, allowed from."""
    each = verdicts(row_of(chosen, **row), chosen)[spot]
    return each.stage, each.rule, each.observed, each.limit, each.allowed_from


# --------------------------------------------------------------------------------------------------------- the sentence


def test_who_gets_something_is_told_what_he_allowed():
    assert told() == (
        "You get this because you allowed the use of “What you bought” and contact by E-mail, "
        "for “Recommendations for you”."
    )
    assert told(main_interest="garden") == (
        "You get this because you allowed the use of “What you told us you like”, the use of “What you bought” and "
        "contact by Letter, for “Recommendations for you”."
    )


def test_in_another_language_things_have_their_titles_in_it():
    """Where the catalogue says them; the sentence itself is whole without."""
    assert explanation(row_of(), POLICY, language="de-AT") == (
        "Sie bekommen dies, weil Sie die Nutzung von „Was Sie gekauft haben“ und den Kontakt per „E-Mail“ erlaubt "
        "haben; der Zweck ist „Empfehlungen für Sie“."
    )
    assert explanation(row_of(main_interest="garden"), POLICY, language="fr-CA") == (
        "Vous recevez ceci parce que vous avez autorisé l’utilisation de «\u00a0Ce que vous nous avez dit aimer\u00a0»"
        ", l’utilisation de «\u00a0Ce que vous avez acheté\u00a0» et la prise de contact par "
        "«\u00a0Courrier postal\u00a0», pour «\u00a0Recommandations pour vous\u00a0»."
    )


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"enrolled": False}, "We don't know you, so nothing here is chosen for you in person."),
        ({"months_since_purchase": 13}, "You get nothing of this, because it is not meant for your situation."),
        ({"months_since_purchase": None}, "You get nothing of this, because it is not meant for your situation."),
        ({f"permit:{scope}": Reason.PAUSED for scope in ALL}, "You get nothing of this, because you paused us."),
        ({f"permit:{scope}": Reason.SUPPRESSED for scope in ALL},
         "You get nothing of this, because you asked never to be contacted."),
        ({f"permit:{PURCHASES}": Reason.NO_RECORD},
         "You get nothing of this, because you have not allowed the use of “What you bought”."),
        ({f"permit:{scope}": Reason.WITHDRAWN for scope in ALL},
         "You get nothing of this, because you withdrew your permission for contact by E-mail."),
        ({f"permit:{PURCHASES}": Reason.REMEMBER_MISSING},
         ("You get nothing of this, because you have not allowed us to remember what the use of “What you bought” "
          "needs.")),
        ({"bucket": 0},
         "You get nothing of this: a few customers, picked by chance, are left out to see whether it helps."),
        ({"contacts:mail": 2, f"permit:{TEXT}": 8, f"permit:{LETTER}": 9},
         "You get nothing of this now, because you have heard from us often enough lately."),
        ({f"permit:{MAIL}": 8},
         "You get nothing of this, because nothing we could send would be worth your time."),
    ],
)  # fmt: skip
def test_who_gets_nothing_is_told_why(row, sentence):
    assert told(**row) == sentence


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.PERMIT])
def test_every_reason_has_its_words(reason, language):
    sentence = told(language=language, **{f"permit:{PURCHASES}": reason, f"permit:{INTERESTS}": reason} | {
        f"permit:{scope}": reason for scope in ALL
    })  # fmt: skip

    before, after = LANGUAGES[language].left.split("{why}")
    assert sentence.startswith(before)
    assert sentence.endswith(after)
    assert "{" not in sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"enrolled": False},
         "Nous ne vous connaissons pas, donc rien ici n’est choisi pour vous personnellement."),
        ({f"permit:{PURCHASES}": Reason.OBJECTED},
         "Vous ne recevez rien ici, car vous vous opposez à l’utilisation de «\u00a0Ce que vous avez acheté\u00a0»."),
        ({f"permit:{scope}": Reason.OBJECTED for scope in ALL},
         "Vous ne recevez rien ici, car vous vous opposez à la prise de contact par «\u00a0E-mail\u00a0»."),
        ({f"permit:{PURCHASES}": Reason.REMEMBER_MISSING},
         ("Vous ne recevez rien ici, car vous ne nous avez pas autorisés à garder en mémoire ce qu’il faut pour "
          "l’utilisation de «\u00a0Ce que vous avez acheté\u00a0».")),
        ({"bucket": 0},
         ("Vous ne recevez rien ici\u00a0: quelques clients, tirés au sort, sont laissés de côté pour voir si c’est "
          "utile.")),
    ],
)  # fmt: skip
def test_who_gets_nothing_is_told_why_in_french(row, sentence):
    assert told(language="fr", **row) == sentence


def test_nobody_is_told_that_he_allowed_what_he_was_never_asked_for():
    chosen = of_service()

    assert told(chosen, opened=2, spent=3.0) == (
        "You get this because you have not objected to the use of “Replies” and serving you takes the use of "
        "“Purchases” and contact by E-mail, for “Service”."
    )
    assert told(chosen, "fr", opened=2, spent=3.0) == (
        "Vous recevez ceci parce que vous n’avez pas soulevé d’objection contre l’utilisation de «\u00a0Replies\u00a0» "
        "et que vous servir demande l’utilisation de «\u00a0Purchases\u00a0» et la prise de contact par "
        "«\u00a0E-mail\u00a0», pour «\u00a0Service\u00a0»."
    )


def test_a_scope_that_the_catalogue_lacks_is_said_so():
    chosen = the_policy(campaign={"purpose": "newsletter"}, treatment=TABLES["treatment"][1:2])
    row = {"permit:contact:sms:newsletter": Reason.UNKNOWN_SCOPE}

    assert told(chosen, **row) == "You get nothing of this, because nobody asked you for this."
    assert told(chosen, "fr", **row) == (
        "Vous ne recevez rien ici, car personne ne vous a demandé votre accord pour ceci."
    )


# --------------------------------------------------------------------------------------------------------- the verdicts


def test_there_is_a_verdict_for_every_candidate_and_for_leaving_alone():
    assert [each.as_json() for each in verdicts(row_of(), POLICY)] == [
        {"candidate": "mail", "stage": "chosen", "rule": None, "observed": 0.04, "limit": None, "allowed_from": None},
        {"candidate": "text", "stage": "arbitration", "rule": "worth_nothing", "observed": -0.003, "limit": 0.0,
         "allowed_from": None},
        {"candidate": "letter", "stage": "arbitration", "rule": "worth_nothing", "observed": -0.15000000000000002,
         "limit": 0.0, "allowed_from": None},
        {"candidate": "leave_alone", "stage": "arbitration", "rule": "outranked", "observed": 0.0, "limit": None,
         "allowed_from": None},
    ]  # fmt: skip


def test_who_is_left_alone_has_leaving_alone_chosen():
    assert verdict(3, bucket=0) == ("chosen", None, 0.0, None, None)
    assert verdict(3, enrolled=False) == ("chosen", None, 0.0, None, None)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"enrolled": False}, ("identity", "not_enrolled", None, None, None)),
        ({f"permit:{MAIL}": Reason.RESTRICTED}, ("hard_stops", "hard_stop", "RESTRICTED", None, None)),
        ({"months_since_purchase": 13}, ("eligibility", "audience", "false", "months_since_purchase <= 12", None)),
        ({"spend_past_year": 1.0}, ("eligibility", "eligibility", "false", "spend_past_year > 10", None)),
        ({"spend_past_year": None}, ("eligibility", "unknown", "unknown", None, None)),
        ({f"permit:{MAIL}": Reason.EXPIRED}, ("permission", f"permission:{MAIL}", "EXPIRED", None, None)),
        ({f"permit:{PURCHASES}": Reason.REFUSED}, ("permission", f"permission:{PURCHASES}", "REFUSED", None, None)),
        ({"bucket": 0}, ("holdout", "holdout", None, None, None)),
        ({"contacts:mail": 4, "contacts_free:mail": NOW + 1_500},
         ("contact_policy", "cap:mail", 4, 2, "2026-11-21T10:00:01.500Z")),
        ({"main_interest": "garden"}, ("arbitration", "outranked", 0.04, None, None)),
    ],
)  # fmt: skip
def test_a_verdict_names_stage_rule_what_was_observed_and_the_limit(row, expected):
    assert verdict(0, **row) == expected


def test_what_is_never_allowed_has_no_time_from_which_it_is():
    never = the_policy(cap=[{"key": "no", "channels": ["email"], "limit": 0, "days": 1}])

    assert verdict(0, never, **{"contacts_free:no": 2**63 - 1}) == ("contact_policy", "cap:no", 0, 0, None)


def test_a_control_is_shown_the_ghosts_that_counted():
    row = {"bucket": 0, "ghosts:mail": 2, "ghosts_free:mail": NOW, "contacts:mail": 7}

    assert verdict(0, **row) == ("holdout", "holdout", None, None, None)
    assert row_of(**row)["contacts:mail"] == 2
