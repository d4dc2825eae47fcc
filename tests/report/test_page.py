"""The report's page in a browser, from disk: it sorts, filters, toggles and shows, and lets nothing foreign run."""

import base64
import json
import re
import shutil
import zlib

import pytest
from helpers.cli import ganexp
from helpers.runs import make_run, template
from PIL import Image

from ganexp.report.collect import collect
from ganexp.report.grouping import group
from ganexp.report.samples import STEPS, choose

BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
PWN = '</script><img src=x onerror="document.title=\'pwned\'"><script>document.title="pwned"</script>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two losses by three seeds, one failed run, and a run by a stranger."""
    top = tmp_path_factory.mktemp("page")
    for loss, base in (("hinge", 20.0), ("wgan_gp", 30.0)):
        for seed in range(3):
            make_run(top / "runs" / loss / f"seed-{seed}", template(f"loss={loss}"), seed, base + seed * 0.3,
                     pictures=True, groups={"loss": loss})  # fmt: skip
    make_run(top / "runs" / "failed", template("loss=hinge"), 3, status="failed", error="The run diverged")
    stranger = make_run(top / "runs" / "<img src=x onerror=alert(1)>", template("loss=wgan"), PWN, 80.0, name=PWN,
                        groups={"loss": PWN}, command=[PWN], device=PWN, git_commit=PWN, versions={PWN: PWN},
                        protocol={"id": PWN, PWN: PWN}, error=PWN,
                        scores={"last": {PWN: 1, "fid_classifier": 80}})  # fmt: skip
    config = stranger / "config.yaml"
    config.write_text(config.read_text().replace("split: train", f"split: {json.dumps(PWN)}"))
    with (stranger / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 1000, f"loss/{PWN}": 1}) + "\n")
    ganexp("report", "runs", cwd=top)
    return top / "runs" / "report"


def test_of_runs_of_other_lengths_the_shared_steps_are_shown(tmp_path):
    for name, steps in (("a", range(0, 900, 100)), ("b", range(0, 500, 100)), ("c", (0, 7000))):
        run = make_run(tmp_path / name, template(), {"a": 0, "b": 1, "c": 2}[name])
        (run / "samples").mkdir()
        for step in steps:
            Image.new("RGB", (8, 8)).save(run / "samples" / f"step-{step:07d}.png")
    found = choose(group(collect([tmp_path])))
    assert len(found.moments) == STEPS
    assert found.moments[0] == "step 0"
    assert found.moments[found.first] == "step 400"  # two of the three runs have it
    assert found.left_out == "4 more steps"


def test_nothing_foreign_is_markup(folder):
    page = (folder / "index.html").read_text()
    assert "pwned" in page  # as text
    for mark in ("<img src=x", "</script><img", "<script>document"):
        assert mark not in page
        assert mark not in (folder / "table.md").read_text()
    scripts = re.findall(r"<script[^>]*>", page)
    assert scripts == ['<script type="application/octet-stream" id="packed-curves">',
                       '<script type="application/octet-stream" id="packed-plotly">', "<script>"]  # fmt: skip
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    packed = re.search(r'id="packed-curves">([^<]*)<', page)[1]
    assert "hinge" in zlib.decompress(base64.b64decode(packed)).decode()


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, folder):
    """The page, and what it complained of or asked for."""
    page, heard = browser.new_page(color_scheme="dark"), []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on(
        "request", lambda request: heard.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("#plot .main-svg", timeout=30_000)
    yield page
    assert heard == []
    assert page.title() == "ganexp report"
    assert page.locator("img[src='x']").count() == 0


def column(page, number):
    return page.locator(f"#scores tbody tr td:nth-child({number})").evaluate_all(
        "all => all.map(one => one.dataset.sort)"
    )


def lines(page):
    """Lines drawn: each ends in a gap."""
    return page.evaluate("plot.data.reduce((sum, trace) => sum + trace.x.filter((x) => x === null).length, 0)")


def test_a_click_on_a_head_sorts_and_so_does_a_key(opened):
    head = opened.locator("#scores thead th", has_text="fid_classifier [?] best")
    place = head.evaluate("head => head.cellIndex + 1")
    head.locator("button").click()
    rising = [float(value) for value in column(opened, place) if value]
    assert head.get_attribute("aria-sort") == "ascending"
    assert rising == sorted(rising)
    assert column(opened, place)[-1] == ""  # the stranger has none under this protocol
    head.locator("button").focus()
    opened.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(value) for value in column(opened, place) if value] == rising[::-1]


def test_words_filter_rows(opened):
    opened.get_by_label("Filter").first.fill("wgan_gp")
    rows = opened.locator("#scores tbody tr")
    assert [row.is_visible() for row in rows.all()].count(True) == 1
    assert opened.locator("[data-count=scores]").text_content() == "1 of 3 rows"
    opened.get_by_label("Filter").first.fill("")
    assert opened.locator("[data-count=scores]").text_content() == "3 rows"


def test_a_click_toggles_lines(opened):
    assert lines(opened) == 7  # of the first score: the stranger's stands under another protocol
    group = opened.locator("#legend button", has_text="loss=wgan_gp")
    group.click()
    assert group.get_attribute("aria-pressed") == "false"
    assert lines(opened) == 4
    opened.locator("#legend button", has_text="seed 1").first.click()
    assert lines(opened) == 3
    opened.get_by_text("No lines").click()
    assert lines(opened) == 0
    opened.get_by_text("All lines").click()
    assert lines(opened) == 7


def test_curves_of_losses_against_each_axis(opened):
    opened.select_option("#quantity", "loss/generator")
    assert lines(opened) == 8
    for axis, last in (("images", 320_000), ("seconds", 21), ("d_steps", 5000), ("step", 1000)):
        opened.select_option("#axis", axis)
        assert opened.evaluate("Math.max(...plot.data[0].x)") == last
    opened.check("#log")
    assert opened.evaluate("plot.layout.yaxis.type") == "log"


def test_grids_of_one_step_stand_side_by_side(opened):
    def shown():
        return [img.get_attribute("alt") for img in opened.locator(".grids img").all() if img.is_visible()]

    assert len(shown()) == 6
    assert all(alt.endswith("step 1,000") for alt in shown())
    opened.select_option("#moment", "step 500")
    assert all(alt.endswith("step 500") for alt in shown())
    opened.locator("#walk").focus()
    opened.keyboard.press("ArrowLeft")
    assert opened.locator("#moment").input_value() == "step 0"
    assert all(alt.endswith("step 0") for alt in shown())
    assert opened.locator(".grids img").first.evaluate("img => img.decode().then(() => img.naturalWidth)") == 320


def test_a_run_tells_its_warnings_and_settings(opened):
    run = opened.locator("details.run", has_text="failed").first
    run.locator("summary").click()
    assert "failed: The run diverged" in run.text_content()
    other = opened.locator("details.run", has_text="wgan_gp/seed-0")
    assert "Wasserstein" in other.text_content()  # unlike the commonest
    assert "2.15.0" in other.text_content()


DRAWN = """async () => {
  const card = () => getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
  for (let n = 0; n < 250 && plot.layout.paper_bgcolor !== card(); n++) {
    await new Promise((done) => setTimeout(done, 20));
  }
  return [getComputedStyle(document.body).backgroundColor, plot.layout.paper_bgcolor];
}"""


def test_dark_and_light(opened):
    opened.emulate_media(color_scheme="light")
    light = opened.evaluate(DRAWN)
    opened.emulate_media(color_scheme="dark")
    dark = opened.evaluate(DRAWN)
    assert (light[1], dark[1]) == ("#ffffff", "#1c2026")
    assert light[0] != dark[0]


def test_wide_tables_scroll_in_their_box(opened):
    opened.set_viewport_size({"width": 500, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
