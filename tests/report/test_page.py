"""The page in a browser, opened from disk.

It sorts and filters rows, draws curves, and executes no code from a run's files.
"""

import json
import shutil

import pytest
from helpers.runs import make_run

from ganexp.commands.report import report

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser, page_directory):
    """Open the page; at the end, check that the page reported no error and requested nothing from a network."""
    page, events = browser.new_page(color_scheme="dark"), []
    is_local = ("file:", "data:")
    page.on("console", lambda message: events.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("dialog", lambda dialog: events.append(dialog.message))
    page.on("request", lambda request: None if request.url.startswith(is_local) else events.append(request.url))
    page.goto((page_directory / "index.html").as_uri())
    page.wait_for_selector("#plot .main-svg", timeout=30_000)
    assert page.evaluate("plot.data.filter((trace) => trace.fill === 'toself').length") == 2  # a band for each loss
    page.uncheck("#mean")
    yield page
    assert events == []
    assert page.title() == "ganexp report"
    assert page.locator("img[src='x']").count() == 0


def sort_keys(page, number):
    """Return the sort keys of the cells in column `number` of the score table, from top to bottom."""
    cells = page.locator(f"#scores tbody tr td:nth-child({number})")
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.sort)")


def count_lines(page):
    """Return how many lines are drawn: each line ends with a gap, which is an x value of null."""
    return page.evaluate("plot.data.reduce((sum, trace) => sum + trace.x.filter((x) => x === null).length, 0)")


def test_column_head_sorts_by_click_and_key(page):
    head = page.locator("#scores thead th", has_text="fid_classifier [?] best")
    number = head.evaluate("head => head.cellIndex + 1")
    head.locator("button").click()
    ascending = [float(value) for value in sort_keys(page, number) if value]
    assert head.get_attribute("aria-sort") == "ascending"
    assert len(ascending) == 2
    assert ascending == sorted(ascending)
    assert sort_keys(page, number)[-1] == ""  # the stranger's run has no score under this protocol
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(value) for value in sort_keys(page, number) if value] == ascending[::-1]


def test_filter_hides_rows(page):
    page.get_by_label("Filter").first.fill("wgan_gp")
    rows = page.locator("#scores tbody tr")
    assert [row.is_visible() for row in rows.all()].count(True) == 1
    assert page.locator("[data-count=scores]").text_content() == "1 of 3 rows"
    page.get_by_label("Filter").first.fill("")
    assert page.locator("[data-count=scores]").text_content() == "3 rows"


def test_legend_toggles_lines(page):
    page.select_option("#quantity", "score/fid_classifier [?]")
    assert count_lines(page) == 7  # the stranger's run has another protocol
    configuration = page.locator("#legend button", has_text="loss=wgan_gp")
    configuration.click()
    assert configuration.get_attribute("aria-pressed") == "false"
    assert count_lines(page) == 4
    page.locator("#legend button", has_text="seed 1").first.click()
    assert count_lines(page) == 3
    page.get_by_text("No lines").click()
    assert count_lines(page) == 0
    page.get_by_text("All lines").click()
    assert count_lines(page) == 7


def test_no_button_uploads_a_plot(page):
    titles = page.locator(".modebar-btn").evaluate_all("buttons => buttons.map(each => each.dataset.title)")
    assert "Reset axes" in titles
    assert not [title for title in titles if "cloud" in title.lower() or "share" in title.lower()]


def test_logarithmic_axis_has_whole_numbers(page):
    page.select_option("#quantity", "score/fid_classifier [?]")
    labels = page.locator("#plot .ytick text").all_text_contents()
    low, high = (10**end for end in page.evaluate("plot._fullLayout.yaxis.range"))
    assert len(labels) >= 2
    assert all(low <= float(label) <= high for label in labels)


def test_few_means_have_bands(page):
    count_bands = """(count) => {
      const curve = { axes: { step: [0, 9] }, values: { x: [1, 2] } };
      const seeds = Array.from({ length: 2 * count }, (_, run) => run >> 1);
      const runs = seeds.map((configuration) => ({ configuration, counts: true, curves: [curve] }));
      const data = { t: [0, 0, 12.7], configurations: Array(count).fill("x"), runs };
      const means = makeMeans(data, new Set(runs.keys()), "x", "step");
      return [means.length, means.filter((trace) => trace.fill).length];
    }"""
    assert [page.evaluate(count_bands, count) for count in (6, 7)] == [[12, 6], [7, 0]]


def test_quantity_chooses_its_scale(page):
    for quantity, scale in (
        ("score/fid_classifier [?]", "log"),
        ("score/is_classifier [?]", "linear"),
        ("d_logit/fake", "linear"),
        ("score/fid_classifier [?]", "log"),
    ):
        page.select_option("#quantity", quantity)
        assert page.evaluate("plot.layout.yaxis.type") == scale
        assert page.is_checked("#log") == (scale == "log")


def test_losses_are_drawn_against_each_axis(page):
    page.select_option("#quantity", "loss/generator")
    assert count_lines(page) == 8
    for axis, last in (("images", 320_000), ("seconds", 21), ("d_steps", 5000), ("step", 1000)):
        page.select_option("#axis", axis)
        assert page.evaluate("Math.max(...plot.data[0].x)") == last
    assert page.evaluate("plot.layout.yaxis.type") == "linear"
    page.check("#log")
    assert page.evaluate("plot.layout.yaxis.type") == "log"


def test_scatter_has_a_marker_for_each_run(page):
    traces = page.evaluate("scatter.data.map(({ x, y, marker }) => ({ x, y, colour: marker.color }))")
    assert [len(trace["x"]) for trace in traces] == [3, 3]
    assert [trace["y"] for trace in traces] == [[0.5, 0.6, 0.7]] * 2
    assert [trace["x"] for trace in traces] == [[0.4] * 3] * 2
    assert len({trace["colour"] for trace in traces}) == 2
    assert page.locator("#scatter-key li").all_text_contents() == ["● loss=hinge", "● loss=wgan_gp"]


def test_sample_grids_of_one_step_are_side_by_side(page):
    def shown():
        return [image.get_attribute("alt") for image in page.locator(".grids img").all() if image.is_visible()]

    assert len(shown()) == 6
    assert all(alt.endswith("step 1,000") for alt in shown())
    page.select_option("#moment", "step 500")
    assert all(alt.endswith("step 500") for alt in shown())
    page.locator("#moment-slider").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#moment").input_value() == "step 0"
    assert len(shown()) == 6
    assert all(alt.endswith("step 0") for alt in shown())
    image = page.locator(".grids img").first
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320


def test_picture_is_enlarged_and_closed_by_keys(page):
    page.locator("header button.enlarge").focus()
    page.keyboard.press("Enter")
    assert page.locator("#enlarged img").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#enlarged").is_visible()
    assert page.evaluate("document.activeElement.className") == "enlarge"


def test_run_section_has_warnings_and_unusual_settings(page):
    failed = page.locator("details.run", has_text="failed").first
    failed.locator("summary").click()
    assert "failed: The run diverged" in failed.text_content()
    other = page.locator("details.run", has_text="wgan_gp/seed-0")
    assert "Wasserstein" in other.text_content()  # the most common configuration has another loss
    assert "2.15.0" in other.text_content()


REDRAWN_COLOURS = """async () => {
  const card = () => getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
  for (let n = 0; n < 250 && plot.layout.paper_bgcolor !== card(); n++) {
    await new Promise((done) => setTimeout(done, 20));
  }
  return [getComputedStyle(document.body).backgroundColor, plot.layout.paper_bgcolor];
}"""


def test_colours_follow_the_colour_scheme(page):
    page.emulate_media(color_scheme="light")
    light = page.evaluate(REDRAWN_COLOURS)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(REDRAWN_COLOURS)
    assert (light[1], dark[1]) == ("#ffffff", "#1c2026")
    assert light[0] != dark[0]


def test_wide_tables_scroll_within_their_box(page):
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_curves_have_the_score_of_real_images(browser, tmp_path, hinge):
    protocol = {"extractor": "classifier", "references": {"train": {"sha256": "aa"}}}
    for seed in range(2):
        make_run(tmp_path / str(seed), hinge, seed, protocol=protocol | {"id": "training"})
    (tmp_path / "real").mkdir()
    record = {"scores": {"fid_classifier": 0.5}, "protocol": protocol | {"samples": 359}, "real": "<b>"}
    (tmp_path / "real" / "scores.json").write_text(json.dumps(record))
    page = browser.new_page()
    page.goto(report([str(tmp_path)], images=False).as_uri())
    page.wait_for_selector("#plot .main-svg", timeout=30_000)
    line = page.evaluate("plot.data.at(-1)")
    assert (line["x"], line["y"]) == ([0, 1000], [0.5, 0.5])
    assert page.locator("#plot text", has_text="359 real images").text_content() == "359 real images (<b>)"
    page.select_option("#quantity", "loss/generator")
    assert page.locator("#plot text", has_text="real images").count() == 0
    page.close()
