"""Tables compared as text, in every format, and each honest output."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from bench.analyse.summary import summarise
from bench.report.arms_table import arms_table
from bench.report.differences_table import differences_table
from bench.report.latex import escape as latex_escape
from bench.report.latex import to_latex
from bench.report.markdown import escape as markdown_escape
from bench.report.markdown import to_markdown
from bench.report.table import letters, printable, to_csv
from bench.report.terminal import to_plain, to_rich

TOP1 = "test_top1_pct"

PLAIN = """\
Study fake: test top-1 accuracy, mean over seeds 0, 1 and 2 with 95 % t-interval; weights of the last epoch. \
Differences are arm minus baseline, paired by seed (same network and images, so the same initial weights); \
each interval stands alone. Verdicts: family-wise error of 3 comparisons held at 0.05 (Holm), no margin declared. \
Training speed: median of a probe that ran alone.

Learning rate     Runs  Test top-1 (%)  95 % interval  Difference (pp)       95 % interval  Verdict        Params (M)    GMACs  Training (img/s)
-------------  -------  --------------  -------------  ---------------  ------------------  -------------  ----------  -------  ----------------
          0.1        3            98.0   [96.8, 99.2]         baseline                                          0.270  0.00253             3,000
          0.2        3            98.7  [97.4, 100.0]            +0.67  [+0.05, +1.29] [a]  undecided [b]       0.270  0.00253             – [c]
          0.4  1/3 [d]            88.0          – [e]             −9.5               – [f]  undecided [g]       0.270  0.00253             – [c]
          0.8  0/3 [h]   out of memory              –                –                   –  –                   0.270  0.00253             – [c]
[a] spread below one test image: the interval takes one image as sd, no p-value
[b] alone its interval leaves 0 out; held over the family it decides nothing
[c] speed not measured: no probe
[d] lr=0.4: seeds 1, 2 diverged: loss not finite at step 120. Its numbers are conditional on the 1 of 3 runs \
that finished
[e] 1 seed: no interval
[f] over the 1 seed that finished in both arms; one seed: no interval and no p-value
[g] 2 of 3 diverged (95 % interval 9 % to 99 %) against 0 of 3 diverged (95 % interval 0 % to 71 %); \
Fisher's exact p = 0.4
[h] lr=0.8: seeds 0, 1, 2: CUDA out of memory
"""  # noqa: E501 - a table is compared as it is printed


@pytest.fixture
def recipe(fakes):
    """A baseline, a better arm, one that partly diverged, one that never fitted into memory."""
    base = {"train.lr": 0.1}
    better, wild, huge = {"train.lr": 0.2}, {"train.lr": 0.4}, {"train.lr": 0.8}
    return [
        *fakes.runs_of([(base, (97.5, 98.0, 98.5)), (better, (98.25, 98.5, 99.25)), (wild, (88.0,))]),
        *(fakes.stopped(wild, seed, "diverged", "loss not finite at step 120") for seed in (1, 2)),
        *(fakes.stopped(huge, seed, "oom", "CUDA out of memory") for seed in range(3)),
        fakes.probe(base, (2980.0, 3000.0, 3040.0)),
    ]


def main_table(records, metric=TOP1, **options):
    return arms_table(summarise(records, metric, **options), name="fake")


def texts(table, row, group=0):
    return [table.groups[group].rows[row][index].text for index in table.shown]


def test_the_main_table_reads_as_it_should(recipe):
    assert to_plain(main_table(recipe)) == PLAIN


def test_markdown_holds_the_same_cells(recipe):
    lines = to_markdown(main_table(recipe)).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert rows[0] == [
        "Learning rate",
        "Runs",
        "Test top-1 (%)",
        "95 % interval",
        "Difference (pp)",
        "95 % interval",
        "Verdict",
        "Params (M)",
        "GMACs",
        "Training (img/s)",
    ]
    assert rows[1] == ["------------:", *(cell for cell in rows[1][1:])]
    assert rows[3][1:6] == ["3", "98.7", r"\[97.4, 100.0\]", "+0.67", r"\[+0.05, +1.29\]<sup>a</sup>"]
    assert rows[4][:4] == ["0.4", "1/3<sup>d</sup>", "88.0", "–<sup>e</sup>"]
    assert lines[-1] == "<sup>h</sup> lr=0.8: seeds 0, 1, 2: CUDA out of memory"


def test_latex_holds_the_same_cells_between_booktabs_rules(recipe):
    text = to_latex(main_table(recipe), label="tab:fake arms_1")
    assert r"\label{tab:fake-arms-1}" in text
    assert r"\begin{tabular}{rrrrrrlrrr}" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert (
        r"0.4 & 1/3\textsuperscript{d} & 88.0 & --\textsuperscript{e} & $-$9.5 & --\textsuperscript{f} "
        r"& undecided\textsuperscript{g} & 0.270 & 0.00253 & --\textsuperscript{c} \\"
    ) in text
    assert r"95 \% t-interval" in text


def test_csv_has_full_precision_and_the_reasons(recipe):
    rows = list(csv.DictReader(io.StringIO(to_csv(main_table(recipe)))))
    assert [row["arm"] for row in rows] == ["train.lr=0.1", "train.lr=0.2", "train.lr=0.4", "train.lr=0.8"]
    assert rows[0]["device_kind"] == "cpu"
    assert float(rows[1]["test_top1_pct_mean"]) == 296 / 3
    assert rows[1]["delta_rule"] == "paired"
    assert (rows[2]["n_seeds"], rows[2]["n_runs"], rows[2]["ci95_low"]) == ("1", "3", "")
    assert rows[2]["gap"] == "seeds 1, 2 diverged: loss not finite at step 120"
    assert rows[3]["test_top1_pct_mean"] == ""
    assert float(rows[0]["probe_train_img_s_q3"]) == 3020.0


@pytest.mark.parametrize("render", [to_markdown, to_plain, to_csv, lambda t: to_latex(t, label="x")])
def test_equal_records_give_equal_bytes(fakes, render):
    first, second = (render(main_table(fakes.depth_study())) for _ in range(2))
    assert first == second
    assert first.endswith("\n")


def test_the_depth_study_has_a_column_for_each_factor(fakes):
    table = main_table(fakes.depth_study())
    assert table.headers[:3] == ("Depth (layers)", "Residual", "Runs")
    assert texts(table, 0)[:3] == ["20", "true", "3"]
    assert texts(table, 0)[5:7] == ["baseline", ""]
    assert "with Welch's interval (networks or images differ)" in table.caption


def test_both_rules_are_named_where_both_are_used(fakes):
    records = fakes.runs_of(
        [
            ({"model.depth": 20, "train.lr": 0.1}, (97.0, 98.0, 99.0)),
            ({"model.depth": 20, "train.lr": 0.2}, (97.5, 98.0, 99.0)),
            ({"model.depth": 56, "train.lr": 0.1}, (90.0, 98.0, 99.0)),
        ]
    )
    table = main_table(records)
    assert "paired by seed where both train the same network" in table.caption
    assert "Welch's interval elsewhere" in table.caption


def test_digits_follow_the_spread(fakes):
    table = main_table(fakes.runs_of([({"a.b": 1}, (98.05, 98.10, 98.20)), ({"a.b": 2}, (40.0, 55.0, 31.0))]))
    assert texts(table, 0)[2:4] == ["98.1", "[97.5, 98.7]"]
    assert texts(table, 1)[2:6] == ["42", "[12, 72]", "−56", "[−86, −26]"]


def test_two_seeds_show_their_two_values_and_no_interval(fakes):
    table = main_table(fakes.runs_of([({"a.b": 1}, (97.5, 98.5)), ({"a.b": 2}, (96.5, 97.0))]))
    assert texts(table, 0)[1:4] == ["2", "98.0", "97.5; 98.5"]
    assert texts(table, 1)[5] == "–"
    assert "2 seeds: points only, no interval" in table.footnotes


def test_one_seed_shows_its_value_and_says_that_there_is_no_interval(fakes):
    table = main_table(fakes.runs_of([({"a.b": 1}, (97.5,)), ({"a.b": 2}, (96.25,))]))
    assert texts(table, 0)[1:4] == ["1", "97.5", "–"]
    assert texts(table, 1)[4:6] == ["−1.2", "–"]
    assert "1 seed: no interval" in table.footnotes


def test_equal_scores_show_the_interval_of_one_test_image_and_say_so(fakes):
    table = main_table(
        fakes.runs_of([({"a.b": 1}, (99.0,) * 3), ({"model.depth": 2, "a.b": 1}, (11.0,) * 3)])
    )
    assert texts(table, 0)[2:4] == ["99.0", "[98.4, 99.6]"]
    assert texts(table, 1)[2:6] == ["11.0", "[10.4, 11.6]", "−88.0", "[−88.6, −87.4]"]
    assert table.footnotes[0].startswith("spread below one test image")
    assert "nan" not in to_plain(table).lower()


def test_a_loss_without_spread_has_no_interval(fakes):
    records = [fakes.run({"a.b": 1}, seed, 98.0, metrics={"test_loss": 0.3}) for seed in range(3)]
    table = main_table(records, "test_loss")
    assert table.headers[2:5] == ("Test loss", "95 % interval", "Difference")
    assert texts(table, 0)[2:4] == ["0.3000", "–"]
    assert "equal in all seeds: no interval" in table.footnotes


def test_two_kinds_of_device_are_two_groups(fakes):
    levels = {"train.lr": 0.1}
    records = [
        *fakes.runs_of([(levels, (97.0, 98.0, 99.0))]),
        *fakes.runs_of([(levels, (87.0, 88.0, 89.0))], device_kind="cuda", environment={"device": "GPU X"}),
    ]
    table = main_table(records)
    assert [group.label for group in table.groups] == ["cpu: Example CPU 9000", "cuda: GPU X"]
    assert "**cuda: GPU X**" in to_markdown(table)
    assert "[cuda: GPU X]" in to_plain(table)
    assert r"\emph{cuda: GPU X}" in to_latex(table, label="x")
    assert [line.split(",")[0] for line in to_csv(table).splitlines()[1:]] == ["cpu", "cuda"]


def test_runs_of_several_environments_are_told(fakes):
    levels = {"train.lr": 0.1}
    records = [
        fakes.run(levels, 0, 98.0),
        fakes.run(levels, 1, 98.0, environment={**fakes.ENVIRONMENT, "torch": "2.10.0"}, engine=2),
    ]
    note = main_table(records).footnotes[-1]
    assert note == "cpu: runs of several environments (torch 2.15.0 and 2.10.0; engines 1 and 2)"


def test_best_on_validation_stands_in_the_caption(fakes):
    config = fakes.config({})
    config["train"]["select"] = "best_val"
    table = main_table([fakes.run({"arm": "a"}, 0, 98.0, config=config)])
    assert "weights of the best epoch on validation" in table.caption


def test_many_factors_become_one_column_of_labels(fakes):
    base = {f"train.{key}": 1 for key in "abcd"}
    records = [fakes.run(base, 0, 98.0), fakes.run({**base, "train.c": 2}, 0, 97.0)]
    records += [fakes.run({**base, f"train.{key}": 2}, 0, 97.0) for key in "abd"]
    table = main_table(records)
    assert table.headers[0] == "Arm"
    assert [row[0].text for row in table.groups[0].rows] == ["baseline", "c=2", "a=2", "b=2", "d=2"]


def test_the_differences_table_states_rule_and_correlation(fakes):
    base, arm = (97.0, 98.0, 99.0), (97.5, 98.0, 99.5)
    summary = summarise(fakes.runs_of([({"train.lr": 0.1}, base), ({"train.lr": 0.2}, arm)]), TOP1)
    table = differences_table(summary, name="fake")
    cells = texts(table, 0)
    assert cells[:3] == ["0.2", "+0.3", "[−0.4, +1.1]"]
    assert cells[6:8] == ["paired, 3", "+0.96"]
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert (rows[0]["rule"], rows[0]["n_arm"], rows[0]["df"]) == ("paired", "3", "2")


def test_one_arm_has_no_differences_table(fakes):
    assert differences_table(summarise([fakes.run({"a.b": 1}, 0, 98.0)], TOP1), name="fake") is None


HOSTILE = "a|b<script>alert(1)</script> [x](http://evil) $\\input{/etc}% & #_^~ *=1+2 \x1b[31m\u202e @me\nrow"


def test_hostile_names_stay_text_in_every_format(fakes):
    table = main_table(fakes.runs_of([({"arm": HOSTILE}, (98.0,)), ({"arm": "*[b]"}, (97.0,))]))
    markdown = to_markdown(table)
    assert "<script" not in markdown
    assert "http://" not in markdown
    assert "@me" not in markdown
    (line,) = [line for line in markdown.splitlines() if line.startswith("| a")]
    assert line.count("|") - line.count(r"\|") == len(table.headers) + 1
    latex = to_latex(table, label="x")
    assert r"\$\textbackslash{}input\{/etc\}\% \& \#\_\textasciicircum{}\textasciitilde{} {*}=1+2" in latex
    assert "\n{*}{[}b{]} & " in latex
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[1][1] == HOSTILE
    for text in (markdown, latex, to_plain(table)):
        assert not {"\x1b", "\u202e"} & set(text)


def test_rich_reads_no_markup_in_names(fakes):
    table = main_table(fakes.runs_of([({"arm": "[red]x[/red]"}, (98.0,)), ({"arm": "b"}, (97.0,))]))
    console = Console(width=160, file=io.StringIO(), color_system=None)
    console.print(to_rich(table, width=160))
    assert "[red]x[/red]" in console.file.getvalue()


@pytest.mark.parametrize(
    ("width", "left_out"), [(140, ""), (104, "GMACs"), (80, "GMACs, Params (M), Training (img/s)")]
)
def test_a_narrow_terminal_leaves_out_columns_and_says_which(fakes, width, left_out):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(to_rich(main_table(fakes.depth_study()), width=width))
    printed = console.file.getvalue()
    assert "[−0.2, +2.2]" in printed
    assert max(len(line) for line in printed.splitlines()) <= width
    assert (f"left out for width: {left_out}" in printed) == bool(left_out)


def test_at_eighty_columns_no_number_and_no_verdict_is_cut(fakes):
    """Four columns that name the arm or count it, and every interval of a difference, stand whole."""
    console = Console(width=80, file=io.StringIO(), color_system=None)
    table = main_table(fakes.depth_study())
    console.print(to_rich(table, width=80))
    printed = console.file.getvalue()
    assert "…" not in printed
    verdict, delta = table.headers.index("Verdict"), table.headers.index("Difference (pp)")
    shown = [[row[index].text for index in table.shown] for group in table.groups for row in group.rows]
    for row in shown:
        for text in (row[2 + 1], row[delta], row[delta + 1], row[verdict]):
            assert text in printed


def test_a_footnote_leaves_with_its_column(fakes):
    table = main_table(fakes.runs_of([({"lr": 0.1}, (98.0,)), ({"lr": 0.2}, (97.0,))]))
    texts = {}
    for width in (160, 70):
        console = Console(width=width, file=io.StringIO(), color_system=None)
        console.print(to_rich(table, width=width))
        texts[width] = console.file.getvalue()
    assert "speed not measured" in texts[160]
    assert "speed not measured" not in texts[70]


@pytest.mark.parametrize(("share", "told"), [(None, False), (4.0, False), (45.4, True)])
def test_a_speed_measured_beside_others_says_so(fakes, share, told):
    levels = {"lr": 0.1}
    probe = fakes.probe(levels, (2900.0, 3000.0, 3100.0)).model_copy(update={"others_share_pct": share})
    text = to_plain(main_table([*fakes.runs_of([(levels, (98.0, 97.0, 98.5))]), probe]))
    assert ("other processes took 45 % of the device meanwhile" in text) is told


def test_footnote_letters_go_on_after_z():
    assert [letters(index) for index in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]


@pytest.mark.parametrize(
    ("text", "latex"),
    [("a--b", "a-{}-b"), ("a-b", "a-b"), ("x\\y", r"x\textbackslash{}y"), ("−1 × 2", r"$-$1 $\times$ 2")],
)
def test_latex_escapes_what_would_become_something_else(text, latex):
    assert latex_escape(text) == latex


def test_markdown_escapes_emphasis_and_tables():
    assert markdown_escape("drop_path *x* a|b `c`") == r"drop\_path \*x\* a\|b \`c\`"


def test_white_space_and_controls_cannot_break_a_line():
    assert printable("a\n b\t\tc\x00") == "a b c\N{REPLACEMENT CHARACTER}"


def test_the_transfer_table_opens_with_the_baseline_and_a_dash_for_its_stage(fakes):
    table = main_table(fakes.transfer_study(5))
    assert table.headers[:2] == ("Treatment", "Copied through")
    assert texts(table, 0)[:3] == ["base", "–", "5"]
    assert texts(table, 1)[:3] == ["AnB", "stem", "5"]
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert (rows[0]["weights.through"], rows[1]["weights.through"]) == ("", "stem")


def test_trainable_parameters_have_a_column_where_any_arm_freezes(fakes):
    table = main_table(fakes.transfer_study(3))
    column = table.headers.index("Trainable (M)")
    assert table.headers[column - 1] == "Params (M)"
    assert [texts(table, row)[column] for row in (0, 1, 4)] == ["0.0778", "0.0773", "0.000650"]
    assert "Trainable (M)" not in main_table(fakes.depth_study()).headers


def test_the_caption_says_where_weights_come_from(fakes):
    caption = main_table(fakes.transfer_study(3)).caption
    assert "Seed s of an arm with a source starts from seed s of its source" in caption
    assert "3 source runs trained for the weights alone were left out" in caption
    assert "or the baseline is the arm's source, with Welch's interval elsewhere" in caption
    caption = main_table(fakes.transfer_study(3, sources=False, weights="weights/resnet20.pth")).caption
    assert (
        "Arms that start from resnet20.pth share it in all seeds: their intervals hold for this source alone."
        in caption
    )
    assert "same initial weights" not in caption
    assert "seed s" not in caption
    assert "source" not in main_table(fakes.depth_study()).caption


def test_the_differences_table_does_not_claim_equal_weights_where_sources_differ(fakes):
    table = differences_table(summarise(fakes.transfer_study(3), TOP1), name="fake")
    assert "gives both the same draws, or the one its start from the other" in table.caption
    assert "baseline (base)" in table.caption
