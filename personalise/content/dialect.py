"""Our dialect of Liquid: the tags and filters that there are, how values are put out, and what the parser gives up at.

There is no tag that loads anything, and no filter that marks a value as safe. Two environments: one escapes what is
put out, for channels that show HTML.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, NoReturn, TextIO

from liquid import Environment, Mode, RenderContext, StrictUndefined, TokenStream, escape
from liquid.builtin.content import Literal
from liquid.builtin.illegal import Illegal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.assign_tag import AssignTag
from liquid.builtin.tags.capture_tag import CaptureTag
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.comment_tag import CommentTag
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.builtin.tags.for_tag import BreakTag, ContinueTag, ForTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.inline_comment_tag import InlineCommentTag
from liquid.builtin.tags.liquid_tag import LiquidTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.exceptions import LiquidSyntaxError
from liquid.token import TOKEN_DOC
from typing_extensions import override

from personalise.content.filters import FILTERS, plain

_MOST_BYTES: Final = 800_000
"""Of the longest text of all, an HTML mail: nothing longer is built up, only to be thrown away."""

TAGS: Final = (
    "assign", "break", "capture", "case", "comment", "continue", "echo", "for", "if", "liquid", "raw", "unless",
)  # fmt: skip
"""The tags that there are, as they are told of."""


class _Put(OutputNode):
    """Puts out a value: a number as people write it, everything escaped that isn't a literal or a captured block."""

    @override
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        text = value if isinstance(value, str) else plain(value)
        return buffer.write(escape(text) if context.autoescape else text)


class _Output(Output):
    node_class = _Put


class _PutByTag(_Put, EchoNode):
    pass


class _Echo(EchoTag):
    node_class = _PutByTag


class _If(IfTag):
    mode = Mode.STRICT  # the library's own passes over a second `else` in silence


class _Unless(UnlessTag):
    mode = Mode.STRICT


class _Illegal(Illegal):
    """Whatever is no tag of ours, or stands where it doesn't belong."""

    @override
    def parse(self, stream: TokenStream) -> NoReturn:
        name = "doc" if stream.current.kind == TOKEN_DOC else stream.current.value[:40]
        if name.startswith(("end", "else", "elsif", "when")):
            why = f"`{name}` closes or continues nothing here"
        else:
            why = f"there is no tag `{name}` in our templates: {', '.join(TAGS)}"
        raise LiquidSyntaxError(why, token=stream.current)


class _Dialect(Environment):
    block_nesting_limit: ClassVar[int] = 10
    output_stream_limit: ClassVar[int | None] = _MOST_BYTES

    @override
    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        for tag in (
            Literal, _Output, _Illegal, _If, _Unless, CaseTag, ForTag, BreakTag, ContinueTag, AssignTag, CaptureTag,
            CommentTag, InlineCommentTag, _Echo, LiquidTag,
        ):  # fmt: skip
            self.add_tag(tag)
        for name, each in FILTERS.items():
            self.add_filter(name, each.does)


ENVIRONMENTS: Final[Mapping[bool, Environment]] = {
    html: _Dialect(tolerance=Mode.STRICT, undefined=StrictUndefined, autoescape=html) for html in (False, True)
}
"""By whether what is put out is escaped for HTML."""
