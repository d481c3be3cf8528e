"""PURE: a document as one HTML file that needs nothing else: it opens without a network, and prints."""

from collections.abc import Iterator
from html import escape
from typing import Final

from consent.audit.reports.document import Block, Document, Facts, Heading, Notice, Paragraph, Table

_STYLE: Final = """
:root { color-scheme: light; }
body { color: #1b211e; background: #fff; font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  margin: 2rem auto; max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
.lead { font-size: 1.1rem; color: #4a544f; }
.notice { border: 2px solid; border-left-width: .5rem; margin: 1rem 0; padding: .75rem 1rem; }
.notice p { font-weight: 700; font-size: 1.15rem; margin: 0; } .notice ul { margin: .5rem 0 0; }
.good { border-color: #0f5f48; background: #eaf4ef; } .bad { border-color: #a3231c; background: #fbe9e7; }
.gap { border-color: #7a4b00; background: #fbf0d9; border-style: dashed; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { border-bottom: 1px solid #c9c8bf; padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; }
dl { display: grid; grid-template-columns: minmax(10rem, max-content) 1fr; gap: .15rem 1rem; }
dt { color: #4a544f; } dd { margin: 0; font-family: ui-monospace, "Liberation Mono", monospace; font-size: .9rem; }
footer { border-top: 1px solid #c9c8bf; color: #4a544f; font-size: .85rem; margin-top: 2rem; padding-top: .75rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } tr, .notice { break-inside: avoid; }
  thead { display: table-header-group; } }
"""


def html(document: Document) -> str:
    """Return the document as HTML; every word of it is escaped.

    >>> "<h1>a &amp; b</h1>" in html(Document(title="a & b", subtitle="", blocks=(), foot=""))
    True
    """
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
            f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n",
            f'<h1>{escape(document.title)}</h1>\n<p class="lead">{escape(document.subtitle)}</p>\n',
            *(line for block in document.blocks for line in _written(block)),
            f"</main>\n<footer><p>{escape(document.foot)}</p></footer>\n</body>\n</html>\n",
        )
    )


def _written(block: Block) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"<h2>{escape(text)}</h2>\n"
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>\n"
        case Notice(tone, title, lines):
            listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
            yield f'<div class="notice {tone}"><p>{escape(title)}</p>{f"<ul>{listed}</ul>" if lines else ""}</div>\n'
        case Facts(rows):
            yield "<dl>\n"
            yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in rows)
            yield "</dl>\n"
        case Table():
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    heads = "".join(f'<th scope="col">{escape(each)}</th>' for each in table.headings)
    label = escape(table.caption, quote=True)
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>\n<caption>{label}</caption>\n'
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n"
    yield "</tbody></table></div>\n"
