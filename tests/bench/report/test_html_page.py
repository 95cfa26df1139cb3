"""`report.html` as text: complete without a script, nothing of a study is markup, equal bytes, small."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser

import pytest

from bench.analyse.cells import summarise_cells
from bench.analyse.summary import summarise
from bench.report import html_table
from bench.report.arms_table import arms_table
from bench.report.cells_report import write_cells_report
from bench.report.html import embed, safe, settings
from bench.report.html.embed import Figure, without_figures
from bench.report.html.page import render_page
from bench.report.html.run_rows import kind_of, run_rows
from bench.report.table import Cell, Column, RowGroup, Table
from bench.report.write import write_report
from tests.bench.analyse.cell_fakes import cells, out_of_memory, throughput_study

TOP1 = "test_top1_pct"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u202e"
VOID = {"meta", "input", "img", "br", "link"}


class Elements(HTMLParser):
    """The page's elements with their attributes; fails where one is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def page_of(records, *, question="Does depth hurt?", study=None, figures=()):
    summary = summarise(records, TOP1, study=study)
    tables = [arms_table(summary, name="fake")]
    page = render_page(
        summary, records, question=question, name="fake", tables=tables, said=["Found."], figures=figures
    )
    return page.decode()


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def written(fakes, tmp_path_factory):
    """A training study's and a throughput study's page as the report writes them."""
    training, throughput = (tmp_path_factory.mktemp(name) for name in ("training", "throughput"))
    write_report(training, fakes.depth_study(), metric=TOP1, question="Does depth hurt?", name="fake")
    write_cells_report(throughput, throughput_study(), question="How fast?", name="fast")
    return {"training": training / "report.html", "throughput": throughput / "report.html"}


@pytest.mark.parametrize("kind", ["training", "throughput"])
def test_the_report_writes_a_page_whose_first_words_are_the_question(written, kind):
    page = Elements(written[kind].read_text(encoding="utf-8"))
    told = " ".join(" ".join(page.texts).split())
    question = {"training": "Does depth hurt?", "throughput": "How fast?"}[kind]
    first, finding = told.index(question, told.index("Study ")), told.index("Against the baseline")
    assert first < finding < told.index("Results")
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("kind", ["training", "throughput"])
def test_nothing_in_a_page_leads_out_of_it(written, kind):
    text = written[kind].read_text(encoding="utf-8")
    page = Elements(text)
    for tag, attributes in page.found:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png")), (tag, name, value)
    assert "url(http" not in text
    assert "@import" not in text
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy


def test_the_policy_lets_exactly_the_pages_script_run(written):
    text = written["training"].read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert f"script-src {safe.source_hash(script)};" in text


def test_equal_records_give_equal_bytes(fakes):
    assert page_of(fakes.depth_study()) == page_of(fakes.depth_study())


def test_hostile_names_questions_and_reasons_are_text(fakes):
    records = [
        fakes.run({"arm": HOSTILE}, 0, 97.0, config={HOSTILE: {HOSTILE: HOSTILE}}),
        fakes.run({"arm": "b"}, 0, 96.0, environment={"device": HOSTILE, "note": HOSTILE}),
        fakes.stopped({"arm": "c"}, 0, "failed", HOSTILE),
    ]
    text = page_of(records, question=HOSTILE)
    page = Elements(text)
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert not [a for _, attributes in page.found for a in attributes if a.startswith("on")]
    shown = HOSTILE.replace("\u202e", "\ufffd")
    assert shown in page.texts
    assert data_of(text)["arms"][0]["label"] == shown
    assert "\u202e" not in text


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028", "&lt;", "\ud800"])
def test_script_data_cannot_end_its_element(text):
    spelled = safe.script_json({text: [text]})
    assert not set("<>&\u2028") & set(spelled)
    assert json.loads(spelled) == {text: [text]}


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        safe.script_json([float("nan")])


def test_every_run_has_a_row_and_its_settings(fakes):
    records = fakes.depth_study()
    text = page_of(records)
    data, runs = data_of(text), [record for record in records if record.kind == "run"]
    assert data["runs"]["id"] == [run.run_id for run in runs]
    assert len(re.findall(r"<tr data-run=", text)) == len(runs)
    for index, run in enumerate(runs):
        own = dict(data["configs"]["own"][data["runs"]["config"][index]])
        common = dict(data["configs"]["common"])
        assert {**common, **own} == settings.flat(run.config)
        assert own["model.depth"] == str(run.levels["model.depth"])
    assert dict(data["environments"]["common"]) == fakes.ENVIRONMENT
    assert data["environments"]["own"] == [[]]


def test_settings_are_told_once():
    shared = settings.share([{"a": {"b": 1, "c": None}, "d": [1, 2]}, {"a": {"b": 2}, "d": [1, 2]}] * 3)
    assert shared.common == (("d", "[1, 2]"),)
    assert shared.own == ((("a.b", "1"),), (("a.b", "2"),))
    assert shared.of_run == (0, 1) * 3
    assert shared.varied == ("a.b",)


def test_each_seed_stands_in_its_arms_row_and_in_the_figure(fakes):
    records = fakes.runs_of([({"model.depth": 8}, (97.0, 98.0)), ({"model.depth": 20}, (99.0, 96.5))])
    text = page_of(records)
    assert '<td class="replicates">97.00 98.00</td>' in text
    (chart,) = data_of(text)["charts"]
    assert [mark["points"] for mark in chart["marks"]] == [[[0, 97.0], [1, 98.0]], [[2, 99.0], [3, 96.5]]]
    assert [text for _, text in chart["x"]["ticks"]] == ["8", "20"]


def test_places_of_levels_lie_within_the_axis(fakes):
    (chart,) = data_of(page_of(fakes.depth_study()))["charts"]
    places = [u for u, _ in chart["x"]["ticks"]]
    assert places == sorted(places)
    assert 0 < places[0] < places[-1] < 1
    assert {series["label"] for series in chart["series"]} == {"residual = true", "residual = false"}


def test_a_baseline_beside_the_axis_is_a_line_across(fakes):
    records = fakes.transfer_study(3)
    (chart,) = data_of(page_of(records))["charts"]
    assert len(chart["across"]["points"]) == 3
    assert not any(mark["arm"] == chart["across"]["arm"] for mark in chart["marks"])


def test_missing_runs_are_told_first(fakes):
    records = [
        fakes.run({"a.lr": 0.1}, 0, 97.0),
        fakes.run({"a.lr": 0.2}, 0, 96.0),
        fakes.stopped({"a.lr": 0.4}, 0, "diverged", "at step 3"),
    ]
    text = page_of(records)
    assert text.index("seed 0 diverged: at step 3") < text.index('id="main-figure"')
    (chart,) = data_of(text)["charts"]
    assert [mark["gap"] for mark in chart["marks"]] == [None, None, "1/1 diverged"]


def test_two_kinds_of_device_have_figures_and_rows_of_their_own(fakes):
    arms = [({"a.b": 1}, (97.0, 98.0)), ({"a.b": 2}, (98.0, 98.5))]
    text = page_of([*fakes.runs_of(arms), *fakes.runs_of(arms, device_kind="cuda")])
    data = data_of(text)
    assert [chart["title"] for chart in data["charts"]] == ["cpu: Example CPU 9000", "cuda: Example CPU 9000"]
    assert [arm["kind"] for arm in data["arms"]] == ["cpu", "cpu", "cuda", "cuda"]
    assert text.count('<tr class="group">') == 2


@pytest.mark.parametrize("records", ["none", "failed"])
def test_a_study_without_a_result_still_has_its_page(fakes, records):
    made = [] if records == "none" else [fakes.stopped({"a.b": 1}, 0, "failed", "worker died")]
    text = page_of(made)
    assert data_of(text)["charts"] == []
    assert ("worker died" in text) == (records == "failed")
    Elements(text)


def test_a_throughput_study_in_which_nothing_fitted_has_its_page(tmp_path):
    write_cells_report(tmp_path, out_of_memory("a", {}), question="", name="none")
    assert "out of memory at batch 2,048" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_repeats_of_a_throughput_study_are_runs(fakes):
    records = [*cells("a", {}), *cells("b", {"train.batch_size": 64})]
    summary = summarise_cells(records)
    rows = run_rows(records, summary)
    assert [row.value for row in rows] == [r.median_img_s for arm in summary.arms for r in arm.repeats]
    assert kind_of(summary).noun == "repeat"


def test_figures_in_a_page_keep_apart_and_can_be_taken_out(written):
    text = written["training"].read_bytes()
    page = Elements(text.decode())
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    names = set(ids)
    for _, attributes in page.found:
        for name in ("href", "xlink:href"):
            assert not attributes.get(name, "").startswith("#") or attributes[name][1:] in names
    assert b"<clipPath" not in without_figures(text)
    assert without_figures(text).count(b"<!--figure") == text.count(b"<!--figure")


def test_a_figure_of_thousands_of_points_stands_as_its_picture():
    heavy = b"<svg>" + b" " * embed.MOST_SVG_BYTES + b"</svg>"
    assert "data:image/png;base64,UE5H" in embed.embed(Figure("a", {"svg": heavy, "png": b"PNG"}), "A")
    assert embed.embed(Figure("a", {"pdf": b""}), "A") is None


def test_a_table_carries_what_is_sorted_by_and_its_footnotes():
    columns = (Column(("arm",), "Arm", "l"), Column(("mean", "sd"), "Mean (%)"), Column(("hidden",)))
    row = (Cell("<a>", ("<a>",)), Cell("98.1", (98.123456, 0.1), (0,)), Cell("", (1,)))
    table = Table("arms", "A <caption>", columns, (RowGroup("cpu", "cpu", (row,)),), ("a note",))
    text = html_table.to_html(table, identify=lambda group, row: f' data-arm="{group.key}"')
    assert '<tr data-arm="cpu"><th scope="row">&lt;a&gt;</th>' in text
    assert '<td class="r" data-v="98.123456">98.1<sup><a href="#arms-a">a</a></sup></td></tr>' in text
    assert '<li id="arms-a"><sup>a</sup> a note</li>' in text
    assert text.count('<th scope="col"') == 2


def test_the_page_of_forty_runs_is_well_below_two_megabytes(fakes, tmp_path):
    write_report(tmp_path, fakes.depth_study(5), metric=TOP1, question="?", name="fake")
    assert (tmp_path / "report.html").stat().st_size < 700_000


def test_ten_thousand_runs_make_a_page_in_seconds(fakes):
    """Configurations and environments are told once, and runs by column."""
    records = [
        fakes.run({"a.lr": rate}, seed, 90.0 + rate + 0.01 * seed)
        for rate in range(100)
        for seed in range(100)
    ]
    summary = summarise(records, TOP1)
    start = time.perf_counter()
    page = render_page(summary, records, question="?", name="fake", tables=[arms_table(summary, name="fake")])
    assert time.perf_counter() - start < 5
    assert len(page) < 6_000_000
