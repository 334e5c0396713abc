"""What these pages take from the code, since it would drift from it if a person wrote it here.

    .. files:: mpikernel/wire       the files of a package, each with the first sentence of its docstring
    .. settings::                   the settings with default, what is allowed and meaning, from the spec

Docstrings are plain text in which names stand between single backticks; autodoc is told so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mpikernel.config.spec import OPTIONS

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = re.compile(r".+?\.(?=\s|$)|.+", re.DOTALL)


class Files(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = ROOT / self.arguments[0]
        paths = sorted(folder.glob("*.py"))
        self.env.note_dependency(str(folder))
        return [definitions((path.name, first_sentence(path)) for path in paths if path.name != "__init__.py")]


class Settings(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = [(f"`{option.key}`", f"`{option.default_text}`", option.allowed, option.comment) for option in OPTIONS.values()]
        return [table(("Setting", "Default", "Allowed", "Meaning"), (3, 2, 3, 6), rows)]


def first_sentence(path: Path) -> str:
    """Of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sentence = SENTENCE.match(docstring.partition("\n\n")[0])
    return " ".join(sentence[0].split()) if sentence else ""


def definitions(pairs: Iterable[tuple[str, str]]) -> nodes.Node:
    items = [
        nodes.definition_list_item("", nodes.term("", "", nodes.literal("", name)), nodes.definition("", paragraph(text)))
        for name, text in pairs
    ]
    return nodes.definition_list("", *items)


def table(titles: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> nodes.Node:
    columns = [nodes.colspec(colwidth=width) for width in widths]
    body = nodes.tbody("", *map(row_of, rows))
    return nodes.table("", nodes.tgroup("", *columns, nodes.thead("", row_of(titles)), body, cols=len(columns)))


def row_of(cells: Sequence[str]) -> nodes.Node:
    return nodes.row("", *(nodes.entry("", paragraph(cell)) for cell in cells))


def paragraph(text: str) -> nodes.Node:
    """Text in which names stand between single backticks."""
    pieces = text.split("`")
    inline = [nodes.literal("", piece) if number % 2 else nodes.Text(piece) for number, piece in enumerate(pieces)]
    return nodes.paragraph("", "", *inline)


def mean_asterisks(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """An asterisk in a docstring is one."""
    pieces = "\n".join(lines).split("`")
    pieces[::2] = [piece.replace("*", "\\*") for piece in pieces[::2]]
    lines[:] = "`".join(pieces).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", mean_asterisks, priority=400)  # before napoleon
    app.add_directive("files", Files)
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True}
