"""Build HTML. Text goes through `text`, attributes are escaped by `element`; everything else is already HTML."""

from collections.abc import Iterable
from html import escape
from typing import Any

from ganexp.report.settings import setting_text


def text(value: Any) -> str:
    """Return any value as HTML text."""
    return escape(str(value))


def element(name: str, *content: str, **attributes: Any) -> str:
    """Return an element around `content`, which is HTML.

    Args:
        name: of the element.
        content: what it holds.
        attributes: underscores become hyphens (data_sort), a trailing one is removed (class_). An attribute that is
            None or False is left out; of one that is True only the name is written.
    """
    return f"<{name}{_attributes(attributes)}>{''.join(content)}</{name}>"


def void_element(name: str, **attributes: Any) -> str:
    """Return an element that has no content and no end, such as img."""
    return f"<{name}{_attributes(attributes)}>"


def note(value: Any) -> str:
    """Return text in small print."""
    return element("span", text(value), class_="note")


def row_head(value: Any, *notes: str) -> str:
    """Return the first cell of a row: text, then HTML."""
    return element("th", text(value), *notes, scope="row")


def cell(value: Any) -> str:
    """Return a cell of text."""
    return element("td", text(value))


def number_cell(shown: str, sort_by: float | None = None, *details: str) -> str:
    """Return a cell with a number.

    Args:
        shown: the number as text.
        sort_by: its value, by which the page sorts; None sorts last.
        details: HTML below the number.
    """
    return element("td", text(shown), *details, class_="n", data_sort="" if sort_by is None else f"{sort_by:.6g}")


def setting_cell(key: str, value: Any) -> str:
    """Return a cell with the value of a setting."""
    is_sortable = isinstance(value, (int, float))
    return element("td", text(setting_text(key, value)), data_sort=value if is_sortable else None)


def sort_head(name: str, hint: str = "") -> str:
    """Return the head of a column, a button that sorts the table."""
    button = element("button", text(name), note(hint) if hint else "", type="button")
    return element("th", button, scope="col", aria_sort="none")


def sortable_table(identifier: str, caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    """Return a table that the page can sort and filter.

    Args:
        identifier: the id of the table.
        caption: describes the table to screen readers.
        heads: see `sort_head`.
        rows: elements tr.
    """
    rows = list(rows)
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    field = element("label", "Filter ", void_element("input", type="search", data_filters=identifier))
    counter = element("span", count, class_="note", role="status", data_count=identifier, data_all=count)
    table = element("table", _caption_and_head(caption, heads), element("tbody", *rows), id=identifier)
    return element("div", field, counter, class_="controls") + scroll_box(table, caption)


def plain_table(caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    """Return a small table with its caption shown; nothing if it has no rows."""
    body = "".join(rows)
    if not body:
        return ""
    cells = (element("th", text(head), scope="col") for head in heads)
    return element("div", element("table", _caption_and_head(caption, cells), element("tbody", body)), class_="box")


def scroll_box(content: str, label: str) -> str:
    """Return a region that scrolls if its content is wide, also by keyboard."""
    return element("div", content, class_="box", tabindex=0, role="region", aria_label=label)


def _caption_and_head(caption: str, heads: Iterable[str]) -> str:
    return element("caption", text(caption)) + element("thead", element("tr", *heads))


def _attributes(attributes: dict[str, Any]) -> str:
    parts = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{escape(str(value))}"')
    return "".join(parts)
