"""What holds for every command: it says who may, it speaks JSON, it stands in the list by its own words."""

import click

from api.cli.frame import Command
from api.cli.tree import COMMANDS, byleave
from api.roles import ACTIONS, action_of, undeclared

PLAIN = {"serve", "worker", "openapi", "witness serve"}
"""What prints no data of ours: three that run until stopped, and one whose output is JSON anyway."""


def commands(group: click.Group, path: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        here = f"{path} {name}".strip()
        found |= commands(command, here) if isinstance(command, click.Group) else {here: command}
    return found


ALL = commands(byleave.complete())


def test_every_command_says_who_may():
    assert undeclared(cli=byleave.complete()) == []
    assert [path for path, command in ALL.items() if action_of(command.callback) not in ACTIONS] == []


def test_every_command_is_one_that_asks_who_may():
    assert [path for path, command in ALL.items() if not isinstance(command, Command)] == []


def test_the_shell_may_do_what_a_command_offers():
    assert [path for path, command in ALL.items() if not ACTIONS[str(action_of(command.callback))].shell] == []


def test_every_command_that_prints_data_speaks_json():
    speaking = {path for path, command in ALL.items() if "as_json" in {each.name for each in command.params}}
    assert set(ALL) - speaking == PLAIN


def test_the_list_of_commands_says_of_each_what_it_says_of_itself():
    group = byleave.complete()
    told = {name: command.get_short_help_str(200) for name, command in group.commands.items()}
    assert {name: each.line for name, each in COMMANDS.items()} == told


def test_every_number_has_bounds():
    numbers = {
        f"{path} {each.name}": each.type for path, command in ALL.items() for each in command.params
        if isinstance(each.type, (click.types.IntParamType, click.types.FloatParamType))
    }  # fmt: skip
    boundless = [
        name for name, kind in numbers.items() if None in {getattr(kind, "min", None), getattr(kind, "max", None)}
    ]
    assert (len(numbers) > 20, boundless) == (True, [])


def test_every_option_says_what_it_is_for():
    nameless = [
        f"{path} {each.name}"
        for path, command in ALL.items()
        for each in command.params
        if isinstance(each, click.Option) and not each.help
    ]
    assert nameless == []
