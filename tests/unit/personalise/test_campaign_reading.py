"""A campaign's file: what it may say, and how everything that is wrong in it is named at once."""

import json
from dataclasses import fields
from datetime import date

import pytest

from consent.base.errors import CampaignInvalid
from consent.catalogue.reading import parse_catalogue
from personalise.campaigns.reading import parse_campaign, read_campaign
from tests.builders import toml
from tests.campaigns import SHOP, TABLES, campaign, keys, tables


def wrong(**changes):
    """Return the places named in the campaign with these tables, as (where, why)."""
    with pytest.raises(CampaignInvalid) as refused:
        parse_campaign(toml(tables(**changes)), "toml", SHOP)
    return [tuple(place) for place in refused.value.places]


def where(**changes):
    return [place for place, _ in wrong(**changes)]


def one_of(kind, spot=0, **changes):
    """Return the list of tables of a kind with one of them changed; what is None is left out."""
    made = tables()[kind]
    made[spot] = {key: value for key, value in {**made[spot], **changes}.items() if value is not None}
    return {kind: made}


# --------------------------------------------------------------------------------------------------------- what is read


def test_a_contact_lives_for_a_week_unless_the_file_says_otherwise():
    assert [campaign().ttl_days, campaign(campaign={"ttl_days": 90}).ttl_days] == [7, 90]
    assert [wrong(campaign={"ttl_days": days}) for days in (0, 91)] == [
        [("campaign.ttl_days", "must be from 1 to 90")]
    ] * 2


def test_a_campaign_is_read_whole():
    read = campaign()

    assert (read.key, read.purpose, read.scorer, read.measurement, read.received) == (
        "spring", "recommendations", "rule", "measurement", "got",
    )  # fmt: skip
    assert (read.holdout.share, read.holdout.salt) == (1_000, "s")
    assert (read.objective.measure, read.objective.by) == ("visited", date(2026, 12, 31))
    assert [(cap.key, cap.channels, cap.limit, cap.days) for cap in read.caps] == [("mail", ("email",), 2, 30)]
    assert (keys(read.treatments), list(read.offers)) == (["mail", "text", "letter"], ["range", "guide"])
    assert (read.offers["guide"].value, read.offers["guide"].benefit, read.offers["guide"].cost) == (2.0, 0.5, 0.25)
    assert [str(one.eligibility.tree) if one.eligibility else None for one in read.offers.values()] == [
        "spend_past_year > 10", None,
    ]  # fmt: skip
    assert read.audience.categories == {"purchases"}


def test_toml_and_json_say_the_same(tmp_path):
    (tmp_path / "c.toml").write_text(toml(TABLES))
    (tmp_path / "c.json").write_text(json.dumps(TABLES))
    first, second = (read_campaign(tmp_path / f"c.{form}", SHOP) for form in ("toml", "json"))

    def told(read):
        return [getattr(read, each.name) for each in fields(read) if each.name not in ("body", "format", "offers")]

    assert told(first) == told(second)
    assert dict(first.offers) == dict(second.offers)
    assert [(each.format, each.body) for each in (first, second)] == [
        ("toml", toml(TABLES)),
        ("json", json.dumps(TABLES)),
    ]


def test_a_campaign_is_read_from_its_own_body_again():
    read = campaign()

    assert parse_campaign(read.body, read.format, SHOP) == read


@pytest.mark.parametrize(
    ("share", "stored"), [(0, 0), (0.0001, 1), (0.07, 700), (0.29, 2_900), (0.5, 5_000), (0.9, 9_000)]
)
def test_a_holdout_is_kept_in_ten_thousandths(share, stored):
    assert campaign(campaign={"holdout": {"share": share, "salt": "s"}}).holdout.share == stored


# ------------------------------------------------------------------------------------------------------------- features


def test_the_features_are_every_number_and_flag_that_is_read():
    assert campaign().features == ("months_since_purchase", "purchases_count", "spend_past_year")


def test_the_features_that_are_named_are_the_features():
    assert campaign(campaign={"features": ["visits_past_month"]}).features == ("visits_past_month",)


def test_an_outcome_is_never_a_feature_by_itself():
    assert campaign(campaign={"audience": "NOT visited AND spent > 0"}).features == (
        "purchases_count", "spend_past_year", "spent",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (["tenure"], "'tenure' is no attribute of the catalogue"),
        (["main_interest"], "main_interest is text: a model's feature is a number or a flag"),
        (["visited"], "visited is the outcome, which isn't known before"),
        (["spend_past_year", "spend_past_year"], "a feature stands twice"),
        ([1], "must hold texts only"),
        ("spend_past_year", "must be a list of texts"),
    ],
)
def test_a_wrong_feature_is_named(named, why):
    assert wrong(campaign={"features": named}) == [("campaign.features", why)]


# ---------------------------------------------------------------------------------------------------------- wrong spots


def test_a_wrong_class_is_named_once():
    assert where(campaign={"class": "x"}) == ["campaign.class"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"campaign": {"key": "Spring"}}, "campaign.key"),
        ({"campaign": {"name": ""}}, "campaign.name"),
        ({"campaign": {"name": "x" * 201}}, "campaign.name"),
        ({"campaign": {"benefit": 7}}, "campaign.benefit"),
        ({"campaign": {"purpose": "profit"}}, "campaign.purpose"),
        ({"campaign": {"class": "service"}}, "campaign.class"),
        ({"campaign": {"class": "legal"}}, "campaign.class"),
        ({"campaign": {"class": "legal", "purpose": "profit"}}, "campaign.purpose"),
        ({"campaign": {"measurement": "profit"}}, "campaign.measurement"),
        ({"campaign": {"received": "sent"}}, "campaign.received"),
        ({"campaign": {"received": "spent"}}, "campaign.received"),
        ({"campaign": {"scorer": "magic"}}, "campaign.scorer"),
        ({"campaign": {"goodwill_budget": -1}}, "campaign.goodwill_budget"),
        ({"campaign": {"audience": " "}}, "campaign.audience"),
        ({"campaign": {"holdout": {"share": 0.91, "salt": "s"}}}, "campaign.holdout.share"),
        ({"campaign": {"holdout": {"share": 0.00015, "salt": "s"}}}, "campaign.holdout.share"),
        ({"campaign": {"holdout": {"share": -0.1, "salt": "s"}}}, "campaign.holdout.share"),
        ({"campaign": {"holdout": {"share": True, "salt": "s"}}}, "campaign.holdout.share"),
        ({"campaign": {"holdout": {"share": 0.1}}}, "campaign.holdout.salt"),
        ({"campaign": {"holdout": {"share": 0.1, "salt": "s", "seed": 1}}}, "campaign.holdout.seed"),
        ({"objective": {"measure": "goodness"}}, "objective.measure"),
        ({"objective": {"measure": "got"}}, "objective.measure"),
        ({"objective": {"target": "much"}}, "objective.target"),
        ({"objective": {"by": "soon"}}, "objective.by"),
        ({"objective": {"whose": "mine"}}, "objective.whose"),
        (one_of("cap", channels=[]), "cap[0].channels"),
        (one_of("cap", channels=["pigeon"]), "cap[0].channels"),
        (one_of("cap", limit=1.5), "cap[0].limit"),
        (one_of("cap", limit=-1), "cap[0].limit"),
        (one_of("cap", days=0), "cap[0].days"),
        (one_of("cap", hours=1), "cap[0].hours"),
        ({"cap": [TABLES["cap"][0]] * 2}, "cap[1].key"),
        ({"offer": [*TABLES["offer"], TABLES["offer"][0]]}, "offer[2].key"),
        (one_of("offer", terms=None), "offer[0].terms"),
        (one_of("offer", value=-1), "offer[0].value"),
        (one_of("offer", cost=-1), "offer[0].cost"),
        (one_of("treatment", 2, key="mail"), "treatment[2].key"),
        (one_of("treatment", 2, key="none"), "treatment[2].key"),
        (one_of("treatment", 2, key="leave_alone"), "treatment[2].key"),
        (one_of("treatment", 1, offer="nothing"), "treatment[1].offer"),
        (one_of("treatment", 1, channel="pigeon"), "treatment[1].channel"),
        (one_of("treatment", 1, content=None), "treatment[1].content"),
        (one_of("treatment", 1, score=" "), "treatment[1].score"),
        ({"treatment": []}, "treatment"),
        ({"offers": [{}]}, "offers"),
    ],
)
def test_a_wrong_spot_is_named_by_its_path(changes, place):
    assert where(**changes) == [place]


def test_every_wrong_spot_is_named_at_once():
    assert where(
        campaign={"purpose": "profit", "key": 7}, objective={"by": "soon"}, **one_of("cap", days=0)
    ) == ["objective.by", "campaign.key", "campaign.purpose", "cap[0].days"]  # fmt: skip


@pytest.mark.parametrize("missing", ["objective", "campaign", "offer", "treatment"])
def test_a_part_that_is_missing_is_named(missing):
    rest = {key: table for key, table in tables().items() if key != missing}
    with pytest.raises(CampaignInvalid) as refused:
        parse_campaign(toml(rest), "toml", SHOP)

    assert missing in {place.where.partition("[")[0].partition(".")[0] for place in refused.value.places}


def test_more_treatments_than_anybody_weighs_are_refused():
    many = [{**TABLES["treatment"][0], "key": f"t{number}"} for number in range(201)]

    assert wrong(treatment=many) == [("treatment", "a campaign has at most 200 treatments")]
    assert len(campaign(treatment=many[:200]).treatments) == 200


# ---------------------------------------------------------------------------------------------------------- expressions


def test_what_is_wrong_in_an_expression_is_named_by_path_line_and_column():
    found = wrong(campaign={"audience": "months_since_purchase <= 12\n  AND spend_pasd_year > 1"})

    assert found == [
        ("campaign.audience, line 2, column 7",
         "there is no attribute `spend_pasd_year`: write `spend_past_year`?"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"campaign": {"audience": "spend_past_year"}}, "campaign.audience, line 1, column 1"),
        ({"campaign": {"audience": "spend_past_year IS NULL"}}, "campaign.audience, line 1, column 17"),
        (one_of("offer", eligibility="main_interest > 3"), "offer[0].eligibility, line 1, column 17"),
        (one_of("offer", 1, eligibility="spent >"), "offer[1].eligibility, line 1, column 8"),
        (one_of("treatment", score="main_interest"), "treatment[0].score, line 1, column 1"),
        (one_of("treatment", 2, score="RANDOM()"), "treatment[2].score, line 1, column 1"),
    ],
)
def test_an_expression_is_refused_at_its_place(changes, place):
    assert where(**changes) == [place]


@pytest.mark.parametrize("name", ["customer", "enrolled", "bucket"])
def test_an_attribute_that_is_called_like_a_column_of_decisions_cannot_be_read(name):
    body = SHOP.body.replace('main_interest = "text"', f'main_interest = "text"\n{name} = "boolean"')
    from_tables = tables(campaign={"audience": f"{name} = TRUE"})
    with pytest.raises(CampaignInvalid) as refused:
        parse_campaign(toml(from_tables), "toml", parse_catalogue(body))

    assert [place.where for place in refused.value.places] == ["campaign.audience, line 1, column 1"]


# ---------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("c.toml", b'[campaign]\nname = "\xff"', ["line 2"]),
        ("c.toml", b"[campaign\n", ["line 1, column 10"]),
        ("c.toml", b'[campaign]\nname = "a"\nname = "b"\n', ["line 3, column 11"]),
        ("c.json", b'{"campaign": {"name": 1, "name": 2}}', ["/campaign/name"]),
        ("c.json", b'{"campaign": ', ["line 1, column 14"]),
        ("c.json", b"[]", []),
        ("c.toml", b"#" * (4 * 1024 * 1024 + 1), []),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place(tmp_path, name, content, where):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CampaignInvalid) as refused:
        read_campaign(tmp_path / name, SHOP)

    assert [place.where for place in refused.value.places] == where


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(CampaignInvalid, match=r"c\.toml can't be read: No such file"):
        read_campaign(tmp_path / "c.toml", SHOP)
