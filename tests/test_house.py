"""The house stands as designed: imports run one way, and the commands that must be quick never load torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS: list[tuple[str, ...]] = [
    ("bench.errors", "bench.garbage", "bench.units"),
    ("architectures",),
    (
        "bench.data.catalogue",
        "bench.data.entries",
        "bench.data.class_names",
        "bench.data.faults",
        "bench.data.headers",
        "bench.data.own_files",
        "bench.data.own_folder",
        "bench.data.own_parquet",
        "bench.data.own_sets",
        "bench.data.digests",
        "bench.data.cachedir",
    ),
    ("bench.study",),
    ("bench.record",),
    ("bench.data",),
    ("bench.train",),
    ("bench.measure",),
    ("bench.execute",),
    ("bench.launch",),
    ("bench.analyse",),
    ("bench.report",),
    ("bench.console",),
    ("bench.cli", "bench.__main__"),
]
"""From the ground up: a module imports from its own floor and from those before it."""

SPEC_TYPES = {"bench.study.specs", "bench.study.model"}
"""Plain data that the catalogue's functions receive; it names them in annotations only."""

TORCH_FREE_ROOMS = (
    "bench.study",
    "bench.record",
    "bench.analyse",
    "bench.report",
    "bench.console",
    "bench.launch",
)


def floor_of(module: str) -> int:
    matches = [
        (len(prefix), number)
        for number, floor in enumerate(FLOORS)
        for prefix in floor
        if module == prefix or module.startswith(prefix + ".")
    ]
    assert matches, f"{module} stands on no floor; add it to FLOORS"
    return max(matches)[1]


def sources() -> list[tuple[str, Path]]:
    files = [*ROOT.glob("bench/**/*.py"), *ROOT.glob("architectures/**/*.py")]
    named = [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in files]
    return [(name.removesuffix(".__init__"), path) for name, path in named if name != "bench.__init__"]


def imports_of(path: Path, *, type_checking: bool) -> set[str]:
    """Modules of this project that a file imports, at the top and inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    if not type_checking:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped |= {id(inner) for inner in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = ROOT / Path(*node.module.split(".")) / f"{alias.name}.py"
                found.add(f"{node.module}.{alias.name}" if inner.is_file() else node.module)
    return {name for name in found if name.split(".")[0] in ("bench", "architectures") and name != "bench"}


@pytest.mark.parametrize(
    ("module", "path"), sources(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_imports_run_one_way(module: str, path: Path) -> None:
    for imported in imports_of(path, type_checking=False):
        assert floor_of(imported) <= floor_of(module), f"{module} imports {imported} from a higher floor"


def test_architectures_know_nothing_of_bench() -> None:
    for module, path in sources():
        if module.startswith("architectures"):
            assert not {name for name in imports_of(path, type_checking=True) if name.startswith("bench")}


def modules_after(code: str) -> set[str]:
    """Names of the modules that are loaded after a fresh interpreter ran `code`."""
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\n'.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["plan", "studies/depth.yaml", "--device", "cpu"],
        ["plan", "studies/transfer.yaml", "--json", "--device", "cpu"],
        ["status", "studies/depth.yaml", "--device", "cpu"],
        ["report", "studies/depth.yaml"],
        ["verify", "studies/depth.yaml"],
        ["trace", "4d0810ac"],
    ],
    ids=" ".join,
)
def test_quick_commands_never_load_torch(words: list[str], tmp_path: Path) -> None:
    reads_records = words[0] in ("report", "verify", "trace")
    if reads_records:
        import shutil

        shutil.copytree(ROOT / "results" / "depth", tmp_path / "depth")
    if words[0] != "--help":
        words = [*words, "--results", str(tmp_path)]
    loaded = modules_after(f"from bench.cli import main; main({words!r})")
    assert "bench.cli" in loaded
    assert "torch" not in loaded
    if not reads_records:
        # What the seeds can detect is said by `plan`, and takes scipy's special functions.
        heavy = {"pandas", "matplotlib"} if words[0] == "plan" else {"pandas", "scipy", "matplotlib", "numpy"}
        assert not loaded & heavy


def test_help_names_every_command() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    for command in ("plan", "run", "status", "report", "paper", "verify", "trace", "data", "doctor"):
        assert command in answer.stdout
