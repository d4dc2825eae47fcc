"""The templates escape every value, and no text from a run adds markup to the page."""

import json
import re
import shlex
from html.parser import HTMLParser

import jinja2
import pytest
from helpers.runs import SCORE_INFO, make_run

from ganexp.commands.report import report
from ganexp.report.templating import DIRECTORY, environment, render

HARMLESS = "harmless"
ATTACKS = {
    "element": "</script></style></td><img src=x onerror=alert(1)><script>alert(1)</script>",
    "double quote": '" onclick="alert(1)" x=\'',
    "single quote": "' onclick='alert(1)' x=\"",
    "comment": "--><!-- <b>",
    "template": "{{ 7 * 7 }}{% include 'page.js' %}{# comment #}",
    "entity": "&lt;b&gt;<&#60;b>",
}


class Outline(HTMLParser):
    """The outline of a page.

    `markup` lists elements, attribute names and comments; `texts` lists texts and attribute values.
    """

    def __init__(self, page):
        super().__init__()
        self.markup, self.texts = [], []
        self.feed(page.replace("<wbr>", ""))  # the templates add <wbr> after underscores and dots
        self.close()

    def handle_starttag(self, tag, attrs):
        self.markup.append((tag, *(name for name, _ in attrs)))
        self.texts += [value for _, value in attrs if value]

    def handle_endtag(self, tag):
        self.markup.append(f"/{tag}")

    def handle_comment(self, data):
        self.markup.append("comment")

    def handle_data(self, data):
        self.texts.append(data)


def outline_with(directory, text, hinge, wgan_gp):
    """Return the outline of a report's page; the runs in the report have `text` wherever a run can have text."""
    label = text.replace("/", "")
    protocols = [f"{text}a", f"{text}b", f"{text}a", f"{text}a"]  # two protocols, so that the page has notes
    for index, (config, protocol) in enumerate(zip((hinge, hinge, wgan_gp, wgan_gp), protocols, strict=True)):
        config = config.replace("split: train", f"split: {json.dumps(f'{text}{index // 2}')}")
        path = make_run(
            directory / f"{label}-{index}",
            f"{config}\n{json.dumps(text)}: {json.dumps(text)}\n",
            json.dumps(f"{text}{index}"),
            pictures=True,
            extra_scores={text: index},
            name=text,
            groups={text: text, "loss": f"{text}{index // 2}"},
            protocol={"id": protocol, text: protocol},
            score_info=SCORE_INFO | {text: {"higher_is_better": True, "plot_scale": text}},
            device=f"{text}{index}",
            ganexp_commit=text,
            versions={text: text},
            command=[text],
        )
        with (path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": 1000, f"loss/{text}": 1}) + "\n")
    make_run(directory / f"{label}-4", hinge, 3, status=text, error=text, scores={text: text}, score_info={text: text})
    make_run(directory / f"{label}-5", hinge, 4, status="failed", error=text, scores={})
    unreadable = make_run(directory / f"{label}-6", hinge, 5)
    (unreadable / "config.yaml").write_text(f"{json.dumps(text)}: [")
    return Outline(report([str(directory)]).read_text())


@pytest.fixture(scope="module")
def harmless(tmp_path_factory, hinge, wgan_gp):
    """Return the outline of a report whose runs have a harmless text instead of an attack."""
    return outline_with(tmp_path_factory.mktemp("page") / "harmless", HARMLESS, hinge, wgan_gp)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_text_from_runs_adds_no_markup(tmp_path, hinge, wgan_gp, harmless, attack):
    hostile = outline_with(tmp_path / "hostile", attack, hinge, wgan_gp)
    assert hostile.markup == harmless.markup
    forms = (attack, attack.replace("/", ""), shlex.quote(attack))
    places = sum(any(form in text for form in forms) for text in hostile.texts)
    assert places == sum(HARMLESS in text for text in harmless.texts) > 50


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_macros_escape_their_arguments(attack):
    macros = environment.get_template("macros.html").module
    cells = [
        macros.note(attack),
        macros.number_cell(attack, 1),
        macros.setting_cell(attack, attack),
        macros.sort_head(attack, attack),
    ]
    markup = [part for cell in cells for part in Outline(cell).markup]
    assert markup == [
        *(("span", "class"), "/span", ("td", "class", "data-sort"), "/td", ("td",), "/td"),
        *(("th", "scope", "aria-sort"), ("button", "type"), ("span", "class"), "/span", "/button", "/th"),
    ]
    assert all(attack in "".join(Outline(cell).texts) for cell in cells)


def test_only_the_pages_own_files_are_not_escaped():
    exceptions = {}
    for file in DIRECTORY.glob("*.html"):
        text = file.read_text()
        assert "autoescape" not in text
        exceptions[file.name] = re.findall(r"\{\{ ?(.*?) ?\| ?safe", text)
    assert {name: found for name, found in exceptions.items() if found} == {"page.html": ["style", "script"]}
    assert not [file.name for file in DIRECTORY.parent.glob("*.py") if "markupsafe" in file.read_text()]


def test_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="run_details"):
        render("runs.html")


def test_cells_sort_by_their_value():
    macros = environment.get_template("macros.html").module
    assert macros.number_cell("−1.5", -1.5) == '<td class="n" data-sort="-1.5">−1.5</td>'
    assert macros.number_cell("–") == '<td class="n" data-sort="">–</td>'
    assert macros.setting_cell("model.norm", "<b>") == "<td>&lt;b&gt;</td>"
    assert macros.setting_cell("optimizer.lr", 0.0002) == '<td data-sort="0.0002">0.0002</td>'
    assert macros.setting_cell("data.flip", True) == "<td>true</td>"
    assert macros.setting_cell("data.flip", None) == "<td></td>"
