"""Render the templates of the page.

Jinja escapes every value that a template prints, because names and settings may come from an untrusted run. The only
exceptions are the page's own style and script, which page.html prints with the filter `safe`.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ganexp.report.formatting import difference_texts, number, typographic_minus
from ganexp.report.settings import setting_name, setting_text

DIRECTORY = Path(__file__).parent / "templates"
PARTS = re.compile(r"(?<=[=_])|(?<=\.)(?=[a-zA-Z])")  # where a line can break in a name: never within a number


def sort_key(value: float | None) -> str:
    """Return the text that the page uses to sort a number; empty text is sorted last."""
    return "" if value is None else f"{value:.6g}"


def parts(name: str) -> list[str]:
    """Return `name` in parts, split after each equals sign, each underscore, and each dot that is before a letter."""
    return PARTS.split(name)


def render(template: str, **values: Any) -> str:
    """Return the HTML of a template.

    Args:
        template: the name of a file in templates/.
        values: the values for the template; the keywords are the names in the template.
    """
    return environment.get_template(template).render(values)


environment = Environment(
    loader=FileSystemLoader(DIRECTORY),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters |= {
    function.__name__: function
    for function in (difference_texts, number, parts, setting_name, setting_text, sort_key, typographic_minus)
}
