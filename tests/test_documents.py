"""README and index say what the checkout holds: tree, generated parts, commands, studies' editor hint."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.cli import _parse
from bench.report.documents import documents

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tracked() -> set[str]:
    """Top-level names of the checkout, as git knows them."""
    answer = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [line for line in answer.stdout.splitlines() if not line.startswith(".")]
    return {path.split("/")[0] + ("/" if "/" in path else "") for path in paths}


def test_the_file_tree_of_the_readme_is_the_checkouts() -> None:
    section = README.partition("## What is where")[2]
    tree = re.search(r"```text\n(.*?)```", section, flags=re.DOTALL)
    assert tree is not None
    assert set(re.findall(r"^([\w.]+/?)  ", tree.group(1), flags=re.MULTILINE)) == tracked()


def test_every_generated_part_is_current() -> None:
    for path, text in documents(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python -m bench.report.documents"


def commands() -> list[list[str]]:
    """Each `bench` call of the README's shell blocks, as words after `python -m bench`."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    calls = [part for block in blocks for line in block.splitlines() for part in line.split("&&")]
    words = [shlex.split(call, comments=True) for call in calls if "python -m bench" in call]
    return [call[3:] for call in words]


def test_the_readme_calls_bench() -> None:
    assert len(commands()) >= 3


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_the_readme_run(words: list[str], tmp_path: Path) -> None:
    """`run` is carried out whole by .ci/run, here it is planned; `verify` and its like have own tests."""
    assert _parse(words).command == words[0]
    if words[0] in ("paper", "trace", "verify"):
        return
    if words[0] == "run":
        words = [*words, "--dry-run"]
    answer = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "studies" / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(<?([^)#>]+)>?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target.replace("\\", "")).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.name)
def test_every_study_carries_the_editors_hint(path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=study.schema.json\n")


def test_versions_agree() -> None:
    import bench

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert project["version"] == bench.__version__
    assert f"version: {bench.__version__}\n" in citation


def test_constraints_name_versions_and_no_host() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[\w.+!]+", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    for requirement in project["dependencies"]:
        assert re.match(r"[\w-]+", requirement).group().lower() in pinned
