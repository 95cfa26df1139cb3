"""The command line's table of contents. Each command imports what it needs when it is called.

Exit codes: 0 all done; 1 a run stands failed or oom, or a check or reproduction did not match; 2 wrong
usage or study; 3 environment or data missing; 130 and 143 interrupted after a clean checkpoint.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import __version__
from bench.errors import BenchError, UsageError

SUMMARY = "Ablation studies of image classifiers: many seeds, right statistics, honest speed, plain files."

EXIT_CODES = """exit codes:
  0 all done   1 a run stands failed or oom, or a check or reproduction did not match   2 wrong usage or study
  3 environment or data missing   130, 143 interrupted after a clean checkpoint"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = _parse(argv)
    try:
        code: int = _COMMANDS[arguments.command](arguments)
    except BenchError as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            print("\n".join(error.lines), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # `bench plan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse; `key=value` words may stand anywhere, which argparse alone does not allow."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    words = [word for word in rest if "=" in word and not word.startswith("-")]
    strangers = [word for word in rest if word not in words]
    if strangers or (words and not hasattr(arguments, "overrides") and not hasattr(arguments, "studies")):
        parser.error(f"unrecognized arguments: {' '.join(strangers or words)}; overrides are key=value")
    if hasattr(arguments, "overrides"):
        arguments.overrides = [*arguments.overrides, *words]
    elif hasattr(arguments, "studies"):
        arguments.studies = [*arguments.studies, *words]
    return arguments


def _plan(arguments: argparse.Namespace) -> int:
    from bench.console.plan import show_plan

    return show_plan(_place(arguments), as_json=arguments.json)


def _run(arguments: argparse.Namespace) -> int:
    from bench.console.plan import show_plan
    from bench.console.run import RunOptions, run_study

    if arguments.dry_run:
        return show_plan(_place(arguments), as_json=False, only=arguments.only)
    options = RunOptions(
        jobs=arguments.jobs,
        pack=arguments.pack,
        only=arguments.only,
        retry=frozenset(arguments.retry or ()),
        update=arguments.update,
        fail_fast=arguments.fail_fast,
        recalibrate=arguments.recalibrate,
    )
    return run_study(_place(arguments), options)


def _status(arguments: argparse.Namespace) -> int:
    from bench.console.status import show_status

    return show_status(_place(arguments), as_json=arguments.json)


def _report(arguments: argparse.Namespace) -> int:
    from bench.console.report import write_reports

    studies, overrides = _split_words(arguments.studies)
    return write_reports([Path(study) for study in studies], overrides, _results_folder(arguments))


def _paper(arguments: argparse.Namespace) -> int:
    from bench.console.paper import make_paper

    return make_paper(Path(arguments.paper), _results_folder(arguments), as_json=arguments.json)


def _verify(arguments: argparse.Namespace) -> int:
    from bench.console.verify import Places, verify

    studies, overrides = _split_words(arguments.studies)
    paths = [Path(study) for study in studies]
    places = Places(_results_folder(arguments), Path(arguments.paper))
    if arguments.rerun is not None:
        from bench.console.rerun import rerun

        return rerun(
            paths,
            overrides,
            places.results,
            _data_folder(arguments),
            n_runs=arguments.rerun,
            draw=arguments.draw,
            as_json=arguments.json,
        )
    return verify(paths, overrides, places, as_json=arguments.json)


def _trace(arguments: argparse.Namespace) -> int:
    from bench.console.trace import trace

    return trace(arguments.what, Path(arguments.paper), _results_folder(arguments), as_json=arguments.json)


def _data(arguments: argparse.Namespace) -> int:
    from bench.console.data import manage

    return manage(arguments.action, arguments.name, _data_folder(arguments), as_json=arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from bench.console.doctor import examine

    return examine(_data_folder(arguments), as_json=arguments.json)


_COMMANDS = {
    "plan": _plan,
    "run": _run,
    "status": _status,
    "report": _report,
    "paper": _paper,
    "verify": _verify,
    "trace": _trace,
    "data": _data,
    "doctor": _doctor,
}


def _place(arguments: argparse.Namespace) -> Any:
    from bench.console.place import Place

    return Place(
        study=Path(arguments.study),
        overrides=tuple(arguments.overrides),
        device=arguments.device,
        data_dir=_data_folder(arguments),
        results=_results_folder(arguments),
    )


def _results_folder(arguments: argparse.Namespace) -> Path:
    folder = Path(arguments.results)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--results {folder}: is a file, not a folder")
    return folder


def _data_folder(arguments: argparse.Namespace) -> Path:
    return Path(arguments.data or os.environ.get("BENCH_DATA") or "data")


def _split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    return [word for word in words if word not in overrides], overrides


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--debug", action="store_true", help="show the traceback of an error")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", metavar="DIR", help="data folder (else BENCH_DATA, else data/)")
    where = argparse.ArgumentParser(add_help=False, parents=[everywhere, data])
    where.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N (auto: a GPU if there is one)"
    )
    where.add_argument("--results", metavar="DIR", default="results", help="results folder (results/)")

    parser = argparse.ArgumentParser(
        prog="bench",
        description=SUMMARY,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_study_commands(commands, where)
    _add_other_commands(commands, where, everywhere, data)
    return parser


def _add_study_commands(commands: Any, where: argparse.ArgumentParser) -> None:
    study = argparse.ArgumentParser(add_help=False, parents=[where])
    study.add_argument("study", metavar="STUDY", help="a study file, as studies/depth.yaml")
    study.add_argument(
        "overrides",
        metavar="key=value",
        nargs="*",
        help="replace a value of the study by its dotted path, as seeds=5 or base.train.epochs=2",
    )

    plan = commands.add_parser("plan", parents=[study], help="list arms and runs, train nothing")
    plan.add_argument("--json", action="store_true", help="as JSON on stdout")

    run = commands.add_parser("run", parents=[study], help="train what is missing, then report")
    run.add_argument("--jobs", type=_jobs, default="auto", metavar="auto|N", help="worker processes")
    run.add_argument(
        "--pack",
        type=_jobs,
        default="auto",
        metavar="auto|K",
        help="runs side by side in a worker; the results are the same (auto: on a GPU as many as it can use)",
    )
    run.add_argument("--only", metavar="GLOB", help="arms whose name matches, as 'model.depth=8,*'")
    run.add_argument(
        "--retry",
        action="append",
        choices=("failed", "oom", "diverged"),
        help="train runs again that ended so; may be given several times",
    )
    run.add_argument(
        "--update", action="store_true", help="let own results replace recorded ones that came from elsewhere"
    )
    run.add_argument("--fail-fast", action="store_true", help="stop at the first failed run")
    run.add_argument(
        "--recalibrate",
        action="store_true",
        help="measure anew which modes execution.auto and amp: auto take",
    )
    run.add_argument("--dry-run", action="store_true", help="show the plan and stop")

    status = commands.add_parser("status", parents=[study], help="where every run stands; reads only")
    status.add_argument("--json", action="store_true", help="as JSON on stdout")


def _add_other_commands(
    commands: Any,
    where: argparse.ArgumentParser,
    everywhere: argparse.ArgumentParser,
    data_folder: argparse.ArgumentParser,
) -> None:
    report = commands.add_parser(
        "report", parents=[where], help="write tables and figures from the records, train nothing"
    )
    report.add_argument(
        "studies", metavar="STUDY", nargs="*", help="study files (and overrides); none: all of --results"
    )

    _add_paper_commands(commands, where, everywhere)

    data = commands.add_parser(
        "data", parents=[everywhere, data_folder], help="list, fetch or check datasets"
    )
    data.add_argument("action", choices=("list", "fetch", "check"))
    data.add_argument("name", metavar="NAME", nargs="?", help="a catalogued set; for check also a path")
    data.add_argument("--json", action="store_true", help="as JSON on stdout")

    doctor = commands.add_parser("doctor", parents=[everywhere, data_folder], help="what this machine can do")
    doctor.add_argument("--json", action="store_true", help="as JSON on stdout")


def _add_paper_commands(
    commands: Any, where: argparse.ArgumentParser, everywhere: argparse.ArgumentParser
) -> None:
    papers = argparse.ArgumentParser(add_help=False)
    papers.add_argument("--paper", metavar="DIR", default="paper", help="the paper's folder (paper/)")
    papers.add_argument("--json", action="store_true", help="as JSON on stdout")
    results = argparse.ArgumentParser(add_help=False, parents=[everywhere, papers])
    results.add_argument("--results", metavar="DIR", default="results", help="results folder (results/)")

    commands.add_parser(
        "paper", parents=[results], help="write the paper's numbers and tables, then build its PDF"
    )
    verify = commands.add_parser(
        "verify", parents=[where, papers], help="recompute all that is derived from the records; compare"
    )
    verify.add_argument(
        "studies", metavar="STUDY", nargs="*", help="study files (and overrides); none: all, and README"
    )
    verify.add_argument("--rerun", type=_count, metavar="K", help="train K sampled runs again and compare")
    verify.add_argument(
        "--draw", type=int, default=0, metavar="N", help="with --rerun: another number, another sample (0)"
    )
    trace = commands.add_parser(
        "trace", parents=[results], help="the runs behind a number, or the places that use a run"
    )
    trace.add_argument(
        "what", metavar="NUMBER|RUN", help="a number's name or its text, or a run's id (its beginning)"
    )


def _count(text: str) -> int:
    if not (text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0")
    return int(text)


def _jobs(text: str) -> str:
    if text != "auto" and not (text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: auto or a number above 0")
    return text
