"""`report.html` in a real browser: headless Chromium, opened from disk, without a network.

Every page is watched: a request beside the file itself, a line on the console or an error fails its test.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.report.cells_report import write_cells_report
from bench.report.write import write_report
from tests.bench.analyse.cell_fakes import throughput_study

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TOP1 = "test_top1_pct"
HOSTILE = "</script><img src=x onerror=alert(1)><b>bold</b>"
STUDIES = ("training", "throughput")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; the tests skip where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on PATH; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(fakes, tmp_path_factory) -> dict[str, Path]:
    """Pages as the report writes them."""
    folders = {name: tmp_path_factory.mktemp(name) for name in (*STUDIES, "hostile", "long")}
    records = [
        *fakes.depth_study(),
        fakes.stopped({"model.depth": 56, "model.residual": True}, 3, "failed", "died"),
    ]
    hostile = [
        *fakes.runs_of([({"arm": HOSTILE}, (97.0, 98.0, 99.0)), ({"arm": "b"}, (96.0, 96.5, 95.0))]),
        fakes.stopped({"arm": "b"}, 3, "failed", HOSTILE, environment={"device": HOSTILE}),
    ]
    long = [
        fakes.run({"a.lr": rate}, seed, 90.0 + rate + seed / 100) for rate in (1, 2) for seed in range(130)
    ]
    for name, own in (("training", records), ("hostile", hostile), ("long", long)):
        question = HOSTILE if name == "hostile" else "Does depth hurt?"
        write_report(folders[name], own, metric=TOP1, question=question, name=name)
    write_cells_report(folders["throughput"], throughput_study(), question="How fast?", name="throughput")
    return {name: folder / "report.html" for name, folder in folders.items()}


@pytest.fixture
def visit(browser, pages):
    """Opens a page in a window of its own and, when the test is done, holds it to silence."""
    contexts, noise = [], []

    def opened(name: str, *, width: int = 1280, height: int = 900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        url = pages[name].as_uri()
        page.on("request", lambda request: noise.append(request.url) if request.url != url else None)
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: noise.append(f"dialog {dialog.message}"))
        page.goto(url)
        if settings.get("java_script_enabled", True):
            name_of_figure = "#charts svg[tabindex]"
            page.locator(name_of_figure).first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


def column(page, table: str, number: int) -> list[str]:
    """Texts of a column's visible cells, without footnote marks."""
    cells = page.locator(f"#table-{table} tbody tr:not([hidden]) > :nth-child({number})")
    return cells.evaluate_all("cells => cells.map(cell => cell.firstChild?.textContent ?? '')")


def header(page, table: str, text: str):
    return page.locator(f"#table-{table} thead th button", has_text=text).first


def floats(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "").replace("\u2212", "-")) for text in texts if text != "\u2013"]


@pytest.mark.parametrize("name", [*STUDIES, "hostile"])
def test_a_page_opens_from_disk_without_a_request_or_an_error(visit, name):
    page = visit(name)
    assert page.locator("h1").inner_text()
    assert page.locator("#fixed-figure").is_hidden()
    page.mouse.wheel(0, 5000)


def test_a_column_sorts_up_down_and_back(visit):
    page = visit("training")
    before = column(page, "arms", 4)
    head = header(page, "arms", "Test top-1")
    head.click()
    assert head.locator("..").get_attribute("aria-sort") == "ascending"
    assert floats(column(page, "arms", 4)) == sorted(floats(before))
    head.click()
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    assert floats(column(page, "arms", 4)) == sorted(floats(before), reverse=True)
    head.click()
    assert head.locator("..").get_attribute("aria-sort") is None
    assert column(page, "arms", 4) == before


def test_gaps_stand_last_in_either_order(visit):
    page = visit("training")
    for _ in range(2):
        header(page, "runs", "Test top-1").click()
        assert column(page, "runs", 3)[-1] == "\u2013"


def test_a_long_table_shows_its_first_rows_and_more_when_asked(visit):
    """All rows of thousands of runs laid out at once would take seconds at every sort."""
    page = visit("long")
    page.locator("#runs summary").click()
    assert len(column(page, "runs", 1)) == 200
    header(page, "runs", "Test top-1").click()
    header(page, "runs", "Test top-1").click()
    assert column(page, "runs", 3)[0] == "93.29"
    page.get_by_role("button", name="Show 60 of 60 more").click()
    assert len(column(page, "runs", 1)) == 260
    assert page.locator(".more").is_hidden()


def test_thousands_sort_as_numbers(visit):
    page = visit("throughput")
    header(page, "cells", "Speed").click()
    speeds = column(page, "cells", 3)
    assert floats(speeds[:-1]) == sorted(floats(speeds[:-1]))
    assert speeds[-1] == "out of memory"


def test_the_filter_leaves_rows_in_which_every_word_occurs(visit):
    page = visit("training")
    page.locator("#filter").fill("depth=56 residual=FALSE")
    page.locator("#matches", has_text="3 of 25 runs").wait_for()
    assert set(column(page, "runs", 1)) == {"depth=56, residual=false"}
    assert column(page, "arms", 1) == ["56"]
    assert page.locator(".chart g.mark.off").count() == 7
    page.locator("#filter").fill("failed")
    page.locator("#matches", has_text="1 of 25 runs").wait_for()
    page.locator("#filter").fill("")
    page.locator("#matches:empty").wait_for(state="attached")
    assert len(column(page, "runs", 1)) == 25


def test_a_filtered_list_draws_what_is_left(visit):
    page = visit("throughput")
    assert page.locator(".chart g.mark").count() == 32
    page.locator("#filter").fill("batch_size")
    page.locator("#matches", has_text="15 of 96 runs").wait_for()
    assert page.locator(".chart g.mark").count() == 5


def test_seeds_can_be_taken_away(visit):
    page = visit("training")
    dots, cells = page.locator(".chart .dot"), page.locator("td.replicates")
    assert dots.first.is_visible()
    assert cells.first.is_visible()
    page.get_by_role("checkbox", name="Seeds").uncheck()
    assert not any(dot.is_visible() for dot in dots.all())
    assert cells.first.is_hidden()
    assert page.locator(".chart .mean").last.is_visible()


@pytest.mark.parametrize("name", STUDIES)
def test_a_point_under_the_pointer_tells_its_run_and_a_click_opens_it(visit, name):
    page = visit(name, height=2400)
    dot = page.locator(".chart .dot").nth(4)
    run = int(dot.get_attribute("data-run"))
    box = dot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    ids = column(page, "runs", 7 if name == "training" else 6)
    told = page.locator("#tip").inner_text()
    assert any(f"run {run_id}" in told for run_id in ids)
    shown = next(index for index, run_id in enumerate(ids) if told.rstrip().endswith(f"run {run_id}"))
    assert page.locator(f'tr.hot[data-run="{shown}"]').count() == 1
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    panel = page.locator("dialog")
    assert panel.is_visible()
    assert ids[shown] in panel.inner_text()
    assert abs(shown - run) <= 3


def test_a_run_opens_with_its_configuration_environment_and_curve(visit):
    page = visit("training")
    page.locator("#table-runs tbody tr").nth(3).locator("button").click()
    told = page.locator("dialog").inner_text()
    for words in (
        "model.depth\n8",
        "train.optimizer.lr\n0.1",
        "Example CPU 9000",
        "Learning curve",
        "test_top1_pct",
    ):
        assert words in told
    page.get_by_role("button", name="Next").click()
    assert "seed\n1" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()


def test_the_theme_follows_the_system_and_the_switch(visit):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = visit("training", color_scheme="light"), visit("training", color_scheme="dark")
    assert (ground(light), ground(dark)) == ("rgb(255, 255, 255)", "rgb(20, 20, 20)")
    light.get_by_label("Theme").select_option("dark")
    dark.get_by_label("Theme").select_option("light")
    assert (ground(light), ground(dark)) == ("rgb(20, 20, 20)", "rgb(255, 255, 255)")
    light.reload()
    assert ground(light) == "rgb(20, 20, 20)"


def test_text_is_readable_in_both_themes(visit):
    """Contrast of at least 4.5 to 1 (WCAG 2, AA) of every colour of text on its ground."""
    script = """() => {
        const part = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
        const light = (rgb) => { const [r, g, b] = rgb.match(/\\d+/g).map(Number).map(part);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = light(getComputedStyle(document.body).backgroundColor);
        const names = ['h1', '.caption', '.facts', '.hint', 'td', 'td.replicates', '.gaps', 'footer'];
        return names.map((name) => {
            const ink = light(getComputedStyle(document.querySelector(name)).color);
            return [name, (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)];
        });
    }"""
    for scheme in ("light", "dark"):
        for name, contrast in visit("training", color_scheme=scheme).evaluate(script):
            assert contrast >= 4.5, (scheme, name)


def test_a_page_is_used_by_keyboard_alone(visit):
    page = visit("training")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert not page.get_by_role("checkbox", name="Seeds").is_checked()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "theme"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "svg"
    page.keyboard.press("ArrowRight")
    first = page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip").inner_text() != first
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "svg"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#table-arms th[aria-sort=ascending]").count() == 1


@pytest.mark.parametrize("name", [*STUDIES, "hostile"])
def test_a_narrow_window_never_scrolls_sideways(visit, name):
    page = visit(name, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("#table-runs tbody button").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    assert page.get_by_role("button", name="Close").is_visible()


def test_hostile_names_are_shown_as_text(visit):
    page = visit("hostile")
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img, h1 b, table b, .chart b").count() == 0
    assert HOSTILE in column(page, "arms", 1)
    page.locator("#filter").fill("<b>bold</b>")
    page.locator("#table-runs tbody button").first.click()
    assert HOSTILE in page.locator("dialog h2").inner_text()
    assert page.locator("dialog img, dialog b").count() == 0
    page.keyboard.press("Escape")
    page.locator("#charts svg").first.focus()
    page.keyboard.press("Home")
    assert HOSTILE in page.locator("#tip").inner_text()


@pytest.mark.parametrize("name", STUDIES)
def test_without_a_script_the_page_is_read_whole(visit, name):
    page = visit(name, java_script_enabled=False)
    assert page.locator("#fixed-figure svg").is_visible()
    assert page.locator(".controls").is_hidden()
    assert page.locator("#table-runs tbody tr").first.is_visible()
    main = "arms" if name == "training" else "cells"
    assert page.locator(f"#table-{main} tbody tr").count() == (8 if name == "training" else 32)
    assert page.get_by_text("Without a result:").is_visible()


def test_a_page_on_paper_is_light_and_without_controls(visit):
    page = visit("training", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".controls").is_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
