"""Where a customer may be: every candidate counts, and a word that says nothing is none."""

from personalise.hours.whereabouts import Whereabouts, whereabouts
from personalise.hours.zones import zones_of
from tests.hours import rule


def test_every_candidate_counts_in_the_order_of_where_it_is_from():
    place = whereabouts(zone="Asia/Tokyo", address="FR", telephone="+41 44 668 18 00", country="NP")

    assert place.zones == ("Asia/Tokyo", "Europe/Paris", "Europe/Zurich", "Asia/Kathmandu")
    assert place.regions == ("JP", "FR", "CH", "NP")


def test_a_zone_of_his_own_adds_its_country_but_none_of_its_other_zones():
    place = whereabouts(zone="America/New_York")

    assert (place.zones, place.regions) == (("America/New_York",), ("US",))


def test_a_part_of_a_country_has_the_zones_of_the_whole():
    place = whereabouts(address="US-TX")

    assert (place.zones, place.regions) == (zones_of("US"), ("US-TX",))


def test_what_several_say_is_counted_once():
    place = whereabouts(zone="Europe/Paris", address="FR", telephone="+33612345678", country="FR")

    assert place == Whereabouts(zones=("Europe/Paris",), regions=("FR",))


def test_words_that_say_nothing_are_no_candidates():
    said = whereabouts(zone="CEST", address="Paris", telephone="06 12 34 56 78", country="fr")

    assert said == whereabouts() == Whereabouts()
    assert whereabouts(country="FRANCE") == Whereabouts()


def test_a_zone_of_no_country_leaves_the_regions_open():
    assert whereabouts(zone="Etc/GMT-1") == Whereabouts(zones=("Etc/GMT-1",))


def test_a_country_where_nobody_lives_has_rules_but_no_zone():
    assert whereabouts(address="BV") == Whereabouts(regions=("BV",))


def test_his_own_hours_go_with_him():
    own = rule(key="own_hours")

    assert whereabouts(country="FR", own=own).own is own
