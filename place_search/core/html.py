"""HTML tables for notebooks."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def html_table(columns: Mapping[str, Sequence[Any]], pictures: Sequence[str] = ()) -> str:
    """Columns of equal length as an HTML table, with a picture before each row if there are any."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ([""] if pictures else []) + [*columns])
    rows = zip(*columns.values(), strict=True)
    body = ""
    for number, row in enumerate(rows):
        cells = [pictures[number]] if pictures else []
        cells += ["" if cell is None else escape(str(cell)) for cell in row]
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
