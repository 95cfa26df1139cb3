"""A write leaves the old file or the new one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import EnvironmentFault
from bench.record import durable


def test_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    durable.write_text(path, "one")
    durable.write_text(path, "two")
    assert path.read_text() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["record.json"]


CALLS = ("write", "flush", "fsync", "replace")

CRASH = """
import os, sys
from pathlib import Path
from bench.record import durable

count = 0
limit = int(sys.argv[2])

def counted(function):
    def call(*arguments, **keywords):
        global count
        count += 1
        if count == limit:
            os._exit(137)
        return function(*arguments, **keywords)
    return call

os.fsync, os.replace, os.open = counted(os.fsync), counted(os.replace), counted(os.open)
Path.replace = counted(Path.replace)
Path.open = counted(Path.open)
durable.write_bytes(Path(sys.argv[1]), b"new" * 1000)
print(count)
"""


def test_a_crash_at_any_call_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Every system call that the write makes is a crash point; none may tear the file."""
    path = tmp_path / "file"
    whole = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), "0"], capture_output=True, text=True, check=True
    )
    n_calls = int(whole.stdout)
    assert n_calls >= 4
    for limit in range(1, n_calls + 1):
        path.write_bytes(b"old")
        crashed = subprocess.run([sys.executable, "-c", CRASH, str(path), str(limit)], check=False)
        assert crashed.returncode == 137
        assert path.read_bytes() in (b"old", b"new" * 1000)
        durable.sweep(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_keeps_the_old_file_and_says_how_much_was_needed(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel refuse the write as a full disk would."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from bench.errors import EnvironmentFault\n"
        "from bench.record.durable import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "try:\n    write_bytes(Path(sys.argv[1]), b'x' * 5000)\n"
        "except EnvironmentFault as fault:\n    print(fault)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert "5000 bytes could not be written" in answer.stdout
    assert os.strerror(errno.EFBIG) in answer.stdout
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_equal_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert durable.write_if_changed(path, b"one")
    before = path.stat().st_mtime_ns
    assert not durable.write_if_changed(path, b"one")
    assert path.stat().st_mtime_ns == before
    assert durable.write_if_changed(path, b"two")


def test_a_folder_in_the_way_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(EnvironmentFault, match="could not be written"):
        durable.write_bytes(tmp_path / "file", b"x")
