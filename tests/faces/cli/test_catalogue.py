"""`catalogue`: what is asked is shown, compared and published."""

from tests.faces.cli.conftest import Shell

KEYS = ["name", "version", "sha256", "purposes", "categories", "channels", "recipients", "notices", "scopes"]

PUBLISHED = ["version", "name", "sha256", "at", "customers", "asked_again", "lost", "by_scope"]


def other(shell: Shell) -> str:
    """Write a catalogue in which one benefit is told differently."""
    text = (shell.folder / "catalogue.toml").read_text()
    (shell.folder / "other.toml").write_text(text.replace('benefit = "', 'benefit = "Even better: ', 1))
    return "other.toml"


def test_show_tells_the_catalogue_in_force(shell: Shell):
    ran = shell("catalogue", "show", "--json")
    assert (ran.code, list(ran.json), ran.json["version"]) == (0, KEYS, 1)
    assert {each["scope"]: each["legal_basis"] for each in ran.json["scopes"]}["remember:purchases"] == "consent"


def test_show_for_people_has_a_line_a_scope_and_what_campaigns_name(shell: Shell):
    told = shell("catalogue", "show", "--json").json
    _, scopes, named, attributes = shell("catalogue", "show").out.split("\n\n")
    assert [line.split()[0] for line in scopes.splitlines()[1:]] == [each["scope"] for each in told["scopes"]]
    assert [line.split()[:2] for line in named.splitlines()[1:]] == [
        [each["key"], kind] for kind in ("purpose", "channel") for each in told[f"{kind}s"]
    ]
    assert [line.split() for line in attributes.splitlines()[1:]] == [
        [name, of_type, each["key"]] for each in told["categories"] for name, of_type in each["attributes"].items()
    ]


def test_a_version_that_was_never_published_is_unknown(shell: Shell):
    assert (shell("catalogue", "show", "--version", 2).code, shell("catalogue", "show", "--version", 0).code) == (2, 2)


def test_diff_names_what_changes(shell: Shell):
    same = shell("catalogue", "diff", "catalogue.toml", "--json")
    assert same.json == {
        "version": 1, "same": True, "added": [], "removed": [], "changed": [], "asks_again": [],
        "redeclared": [], "customers": 300, "asked_again": 0, "lost": 0, "by_scope": {},
    }  # fmt: skip
    changed = shell("catalogue", "diff", other(shell), "--json")
    assert (changed.code, changed.json["same"], len(changed.json["changed"])) == (0, False, 1)


def test_diff_tells_what_changes_besides_scopes(shell: Shell):
    text = (shell.folder / "catalogue.toml").read_text()
    (shell.folder / "free.toml").write_text(text.replace('unpriced = ["visits_past_month"]\n', ""))
    (shell.folder / "spaced.toml").write_text(text + "\n\n")
    told = shell("catalogue", "diff", "free.toml", "--json").json
    plain = shell("catalogue", "diff", "free.toml").out
    spaced = shell("catalogue", "diff", "spaced.toml").out

    [changed] = told["redeclared"]
    assert changed == {
        "kind": "category", "key": "browsing", "part": "unpriced", "old": "visits_past_month", "new": "",
    }  # fmt: skip
    assert plain.startswith("As to scopes it is the same as version 1, which is in force.")
    assert ["category", "browsing", "unpriced", "visits_past_month", "-"] in [
        line.split() for line in plain.splitlines()
    ]
    assert spaced == "It is the same as version 1, which is in force, apart from how the file is written.\n"


def test_diff_and_publish_say_how_many_have_to_be_asked_again(shell: Shell):
    """Rule 4: this change asks so many customers again."""
    scope, key = "remember:purchases", "remember-purchases"
    permitted = sum(shell("permission", "check", f"S{number:06}", scope).code == 0 for number in range(1, 31))
    newer = f'\n[[notice]]\nkey = "{key}"\nversion = 2\nmaterial = true\n[notice.wording]\nen = "May we, again?"\n'
    (shell.folder / "newer.toml").write_text((shell.folder / "catalogue.toml").read_text() + newer)
    told = shell("catalogue", "diff", "newer.toml", "--json").json
    plain = shell("catalogue", "diff", "newer.toml").out
    done = shell("catalogue", "publish", "newer.toml", "--json").json

    assert told["asks_again"] == [scope]
    assert (told["asked_again"], told["by_scope"]) == (done["asked_again"], {scope: done["asked_again"]})
    assert 300 > told["asked_again"] >= permitted > 0
    assert f"This change would ask {told['asked_again']:,} of 300 customers again." in plain
    assert shell("catalogue", "diff", "newer.toml", "--json").json["asked_again"] == 0
    before = shell("catalogue", "diff", "catalogue.toml")
    assert (before.code, "was published as a material one: keep it in the file" in before.err) == (2, True)
    shell.check_ledger()


def test_publish_puts_a_catalogue_in_force_once(shell: Shell):
    size = shell.size()
    ran = shell("catalogue", "publish", other(shell), "--json")
    assert (ran.code, list(ran.json), ran.json["version"]) == (0, PUBLISHED, 2)
    assert shell("catalogue", "show", "--json").json["sha256"] == ran.json["sha256"]
    again = shell("catalogue", "publish", "other.toml")
    assert (again.code, again.out, shell.size()) == (1, "", size + 1)
    shell.check_ledger()


def test_diff_refuses_what_could_not_be_published_as_publishing_does(shell: Shell):
    text = (shell.folder / "catalogue.toml").read_text()
    (shell.folder / "unfit.toml").write_text(
        text.replace("May we remember what you bought", "May we keep what you bought")
    )
    told = [shell("catalogue", command, "unfit.toml") for command in ("diff", "publish")]

    assert [ran.code for ran in told] == [2, 2]
    assert told[0].err == told[1].err
    assert "was published in other words: give it a new version" in told[0].err


def test_a_notice_that_is_not_there_is_named_with_those_that_are(shell: Shell):
    unknown = shell("catalogue", "notice", "remember-purchase")
    newer = shell("catalogue", "notice", "remember-purchases", "--version", "7")

    assert (unknown.code, newer.code) == (2, 2)
    assert "no notice is called 'remember-purchase'; there are: " in unknown.err
    assert "remember-purchases" in unknown.err
    assert "notice remember-purchases has no version 7: its newest is 1" in newer.err


def test_a_wrong_file_is_refused_with_its_places(shell: Shell):
    size = shell.size()
    (shell.folder / "wrong.toml").write_text(
        (shell.folder / "catalogue.toml").read_text() + "\nsurprise = 1\n[[scope]]\n"
    )
    for typed in (["publish", "wrong.toml"], ["diff", "wrong.toml"], ["publish", "absent.toml"]):
        ran = shell("catalogue", *typed)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert shell.size() == size
