"""What `byleave` itself stands on: exit codes, lines for people, commands that are loaded when they are asked for.

Nothing here imports what a command works with: to list the commands, or to say a version, takes none of it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

OK: Final = 0
REFUSED: Final = 1
"""Findings, a denial, or a wish that can't be fulfilled as things stand."""
USAGE: Final = 2
"""What was typed, or what a file says, is wrong: nothing was done."""
UNCHECKED: Final = 3
"""It could not be found out."""
INTERRUPTED: Final = 130
UNHEARD: Final = 141
"""Whoever read our output went away; as a shell counts a broken pipe."""


def printable(text: str) -> str:
    r"""Return text without control characters: they are shown as Python writes them.

    >>> printable("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


class Lazy(NamedTuple):
    """Where a command of the top level lies (`module:name`), and its line in the list of commands."""

    path: str
    line: str


class Root(click.Group):
    """The top level: a command's module is loaded when the command is asked for, and not to list it."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **more: Any) -> None:  # noqa: ANN401 -- click's own options
        """Keep where the commands lie."""
        super().__init__(*args, **more)
        self.lazy = lazy

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._loaded(cmd_name) if cmd_name in self.lazy else None

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.line) for name, each in self.lazy.items()])

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [(name, each.line) for name, each in self.lazy.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)  # a group's would load every command
        return [*(CompletionItem(name, help=line) for name, line in named), *options]

    def complete(self) -> "Root":
        """Return the group with every command loaded."""
        for name in self.lazy:
            self._loaded(name)
        return self

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:  # named here, for click would make exit code 1 of it
            raise click.exceptions.Exit(UNHEARD) from gone

    def _loaded(self, name: str) -> click.Command:
        if name not in self.commands:
            module, _, attribute = self.lazy[name].path.partition(":")
            self.add_command(getattr(import_module(module), attribute), name)
        return self.commands[name]
