"""`python -m api.cli.docs > docs/cli.md`: the commands as they describe themselves."""

from collections.abc import Iterator

import click

from api.cli.frame import Command
from api.cli.output import print_verbatim
from api.cli.tree import byleave

_HEAD = """\
# The command line

Written by `python -m api.cli.docs`; a test holds it against `--help`.

Settings come from `BYLEAVE_*` variables over `byleave.toml`. A customer is named by his reference (his name in the
company's own system) or by his id, `cus_…`. Times are RFC 3339 and name their zone.

- `--json` prints one object on stdout and nothing else; its keys are stable.
- Exit codes: 0 ok, 1 findings or refused, 2 usage, 3 could not check; 130 interrupted.
- An error is one line on stderr that says what to do. Progress is shown on stderr, on a terminal only.
- Completion in the shell: `eval "$(_BYLEAVE_COMPLETE=bash_source byleave)"`, or `zsh_source`, `fish_source`.
"""


def written() -> str:
    """Return the page."""
    whole = byleave.complete()
    return "\n".join([_HEAD, *_sections(whole, click.Context(whole, info_name="byleave", **whole.context_settings))])


def _sections(group: click.Group, above: click.Context) -> Iterator[str]:
    for name, command in group.commands.items():
        context = click.Context(command, info_name=name, parent=above, terminal_width=100, max_content_width=100)
        if isinstance(command, click.Group):
            yield from _sections(command, context)
        elif isinstance(command, Command):
            yield f"## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    print_verbatim(written())
