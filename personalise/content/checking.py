"""What a template reads, and whether it may: every node and expression is gone through, and each is of a known kind.

Nothing is taken on trust: what this walk doesn't know is refused. So whatever is read at rendering was found here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from liquid import Node, Token
from liquid.ast import BlockNode
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode

from personalise.content import markup
from personalise.content.expressions import Reader
from personalise.content.parts import FACT, Choice, Parts, joined

_MOST_TURNS: Final = 1_000
_SHOWN: Final = ("text", "number", "block")


@dataclass(slots=True)
class Walk:
    """One walk over a template.

    Attributes:
        reader: what expressions are read by; it knows the names.
        html: whether what is put out has to be safe in HTML.
        written: the HTML before the present place, on the present way through the template.
        turns: how often the present place is come by, at most.
    """

    reader: Reader
    html: bool
    written: str = ""
    turns: int = 1

    def nodes(self, nodes: list[Node]) -> Parts:
        """Go through nodes in order; return what they say."""
        said: list[str | Choice] = []
        for node in nodes:
            said += self._node(node)
        return joined(said)

    def _node(self, node: Node) -> Parts:  # noqa: C901, PLR0911 -- one line a kind of node
        match node:
            case ContentNode():
                self.written += node.text
                return (node.text,)
            case OutputNode():
                return self._put(node)
            case IfNode() | UnlessNode():
                return self._if(node)
            case CaseNode():
                return self._case(node)
            case ForNode():
                return self._for(node)
            case AssignNode():
                self.reader.define(node.name, self.reader.value(node.expression), node.token)
            case CaptureNode():
                parts = self._branch(node.block, node.token)
                self.reader.define(node.name, "block", node.token)
                return (Choice(branches=(parts,), certain=False),)
            case BreakNode() | ContinueNode():
                if not self.reader.looping_now:
                    self.reader.wrong(node.token, "leaves a loop, and stands in none")
            case LiquidNode():
                return self.nodes(node.block.nodes)
            case CommentNode():
                pass
            case _:
                self.reader.wrong(node.token, "is nothing that our templates have")
        return ()

    def _put(self, node: OutputNode) -> Parts:
        kind = self.reader.value(node.expression)
        if kind is not None and kind not in _SHOWN:
            how = "through `date`" if kind == "time" else "by asking about it with `if`"
            self.reader.wrong(node.token, f"is a {kind}, which is shown {how}")
        spot = self._spot()
        if spot != "text" and not (spot == "quoted" and (kind == "number" or _encoded(node))):
            inside = "an HTML tag" if spot != "script" else "a comment, a style or a script of HTML"
            why = f"stands inside {inside}: put it between tags, or within quotes through `url_encode`"
            self.reader.wrong(node.token, why)
        self.written += FACT
        return (FACT,)

    def _spot(self) -> markup.Spot:
        """Return where in HTML the present place is."""
        spot = markup.spot(self.written) if self.html else "text"
        if spot == "text":
            self.written = self.written[-1:]  # what is over can't matter any more, except an opening bracket
        return spot

    # ------------------------------------------------------------------------------------------------------- branches

    def _if(self, node: IfNode | UnlessNode) -> Parts:
        self.reader.condition(node.condition)
        branches = [self._way(node.consequence, node.token)]
        for each in node.alternatives:
            self.reader.condition(each.expression)
            branches.append(self._way(each.block, each.token))
        if node.default:
            branches.append(self._way(node.default, node.token))
        return self._chosen(branches, certain=node.default is not None)

    def _case(self, node: CaseNode) -> Parts:
        kind = self.reader.value(node.expression)
        branches, certain = [], False
        for spot, block in enumerate(node.blocks):
            if isinstance(block, BlockNode):
                certain = True
                if spot < len(node.blocks) - 1:
                    self.reader.wrong(block.token, "`else` comes last in a `case`")
                branches.append(self._way(block, node.token))
            else:
                for each in block.expression.expressions:
                    self.reader.alike(kind, self.reader.value(each), block.token)
                branches.append(self._way(block.block, block.token))
        return self._chosen(branches, certain=certain)

    def _for(self, node: ForNode) -> Parts:
        turns = self.reader.turns(node.expression)
        if self.turns * turns > _MOST_TURNS:
            self.reader.wrong(node.token, f"goes round more than {_MOST_TURNS:,} times, all loops together")
            turns = 1
        before, self.turns = self.turns, self.turns * turns
        with self.reader.looping(node.expression.identifier, node.token):
            branches = [self._way(node.block, node.token)]
        self.turns = before
        said: list[str | Choice] = [Choice(branches=(branches[0][0],), certain=False, times=max(turns, 1))]
        if node.default:
            said.append(Choice(branches=(self._way(node.default, node.token)[0],), certain=False))
        return tuple(said)

    def _way(self, block: BlockNode, token: Token) -> tuple[Parts, frozenset[str]]:
        """Go one way of several; return what it says, and the names that it sets."""
        with self._apart(token):
            before = self.reader.defined
            parts = self.nodes(block.nodes)
            set_here, self.reader.defined = self.reader.defined, before
        return parts, set_here

    def _branch(self, block: BlockNode, token: Token) -> Parts:
        """Go through what is captured: the names that it sets stay set."""
        with self._apart(token):
            return self.nodes(block.nodes)

    @contextmanager
    def _apart(self, token: Token) -> Iterator[None]:
        """A way has to end where in HTML it began: then it doesn't matter which one is gone."""
        spot, before = self._spot(), self.written
        yield
        if self._spot() != spot:
            self.reader.wrong(token, "opens or closes an HTML tag that it doesn't close or open again")
        self.written = before

    def _chosen(self, ways: list[tuple[Parts, frozenset[str]]], *, certain: bool) -> Parts:
        if certain and ways:  # a name that every way sets is set whichever is gone
            self.reader.defined = self.reader.defined | frozenset.intersection(*(names for _, names in ways))
        return (Choice(branches=tuple(parts for parts, _ in ways), certain=certain),)


def _encoded(node: OutputNode) -> bool:
    expression = node.expression
    filters = expression.filters if isinstance(expression, FilteredExpression) else None
    return filters is not None and bool(filters) and filters[-1].name == "url_encode"
