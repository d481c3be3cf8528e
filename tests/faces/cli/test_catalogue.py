"""`catalogue`: what is asked is shown, compared and published."""

from tests.faces.cli.conftest import Shell

KEYS = ["name", "version", "sha256", "purposes", "categories", "channels", "recipients", "notices", "scopes"]


def other(shell: Shell) -> str:
    """Write a catalogue in which one benefit is told differently."""
    text = (shell.folder / "catalogue.toml").read_text()
    (shell.folder / "other.toml").write_text(text.replace('benefit = "', 'benefit = "Even better: ', 1))
    return "other.toml"


def test_show_tells_the_catalogue_in_force(shell: Shell):
    ran = shell("catalogue", "show", "--json")
    assert (ran.code, list(ran.json), ran.json["version"]) == (0, KEYS, 1)
    assert {each["scope"]: each["legal_basis"] for each in ran.json["scopes"]}["remember:purchases"] == "consent"


def test_show_for_people_has_a_line_a_scope(shell: Shell):
    scopes = [each["scope"] for each in shell("catalogue", "show", "--json").json["scopes"]]
    lines = shell("catalogue", "show").out.splitlines()
    assert [line.split()[0] for line in lines[5:]] == scopes


def test_a_version_that_was_never_published_is_unknown(shell: Shell):
    assert (shell("catalogue", "show", "--version", 2).code, shell("catalogue", "show", "--version", 0).code) == (2, 2)


def test_diff_names_what_changes(shell: Shell):
    same = shell("catalogue", "diff", "catalogue.toml", "--json")
    assert same.json == {"version": 1, "same": True, "added": [], "removed": [], "changed": [], "asks_again": []}
    changed = shell("catalogue", "diff", other(shell), "--json")
    assert (changed.code, changed.json["same"], len(changed.json["changed"])) == (0, False, 1)


def test_publish_puts_a_catalogue_in_force_once(shell: Shell):
    size = shell.size()
    ran = shell("catalogue", "publish", other(shell), "--json")
    assert (ran.code, list(ran.json), ran.json["version"]) == (0, ["version", "name", "sha256", "at"], 2)
    assert shell("catalogue", "show", "--json").json["sha256"] == ran.json["sha256"]
    again = shell("catalogue", "publish", "other.toml")
    assert (again.code, again.out, shell.size()) == (1, "", size + 1)
    shell.check_ledger()


def test_a_wrong_file_is_refused_with_its_places(shell: Shell):
    size = shell.size()
    (shell.folder / "wrong.toml").write_text(
        (shell.folder / "catalogue.toml").read_text() + "\nsurprise = 1\n[[scope]]\n"
    )
    for typed in (["publish", "wrong.toml"], ["diff", "wrong.toml"], ["publish", "absent.toml"]):
        ran = shell("catalogue", *typed)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert shell.size() == size
