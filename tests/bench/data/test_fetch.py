"""Downloads from a server on this machine: right, wrong, broken off, malicious, absent."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.data import console, fetch
from bench.data.catalogue import missing
from bench.data.entries import ENTRIES, Entry, RemoteFile
from bench.data.faults import DataFault
from bench.data.fetch import fetch_set
from bench.errors import EnvironmentFault


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; `stall` sends half and waits, `cut` sends half and hangs up, `away` redirects."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def do_GET(self) -> None:
        kind, _, name = self.path[1:].partition("/")
        if kind == "away":
            self.send_response(302)
            self.send_header("Location", f"http://example.invalid/{name}")
            self.end_headers()
            return
        path = Path(self.directory) / name
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) if kind == "whole" else len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        if kind == "stall":
            time.sleep(20)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def server(served: Path) -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served)))
    httpd.daemon_threads = True
    httpd.block_on_close = False
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def idx_set(served: Path) -> Entry:
    """MNIST's entry, with other contents and their checksums."""
    remote = []
    for file in ENTRIES["mnist"].remote:
        content = gzip.compress(file.name.encode() * 5000)
        (served / file.name).write_bytes(content)
        remote.append(replace(file, md5=md5(content)))
    return replace(ENTRIES["mnist"], remote=tuple(remote))


def archive(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return out.getvalue()


def tar_set(served: Path, content: bytes) -> Entry:
    """CIFAR-10's entry with an archive of our own."""
    (served / "cifar-10-python.tar.gz").write_bytes(content)
    file = replace(ENTRIES["cifar10"].remote[0], md5=md5(content))
    return replace(ENTRIES["cifar10"], remote=(file,))


CIFAR = dict.fromkeys(ENTRIES["cifar10"].members, b"batch")


def files_under(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_are_fetched_checked_and_put_in_place(server: str, idx_set: Entry, data_dir: Path) -> None:
    told: list[tuple[str, int, int]] = []
    placed = fetch_set(
        idx_set, data_dir, mirror=f"{server}/whole", on_progress=lambda *line: told.append(line)
    )
    assert sorted(placed) == files_under(data_dir)
    assert len(placed) == 4
    assert missing(idx_set, data_dir) == []
    assert {line[0] for line in told} == {file.name for file in idx_set.remote}
    assert all(done == total for _, done, total in told)


def test_what_is_there_is_not_fetched_again(server: str, idx_set: Entry, data_dir: Path) -> None:
    folder = data_dir / idx_set.folder
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"plain")
    assert len(fetch_set(idx_set, data_dir, mirror=f"{server}/whole")) == 3
    assert fetch_set(idx_set, data_dir, mirror="http://127.0.0.1:9") == []


def test_archives_are_unpacked(server: str, served: Path, data_dir: Path) -> None:
    entry = tar_set(served, archive(CIFAR))
    assert fetch_set(entry, data_dir, mirror=f"{server}/whole") == ["cifar10/cifar-10-batches-py"]
    assert files_under(data_dir / "cifar10") == sorted(CIFAR)


def test_an_incomplete_folder_is_replaced_whole(server: str, served: Path, data_dir: Path) -> None:
    entry = tar_set(served, archive(CIFAR))
    half = data_dir / "cifar10" / "cifar-10-batches-py"
    half.mkdir(parents=True)
    (half / "data_batch_1").write_bytes(b"half")
    fetch_set(entry, data_dir, mirror=f"{server}/whole")
    assert (half / "data_batch_1").read_bytes() == b"batch"
    assert files_under(data_dir / "cifar10") == sorted(CIFAR)


def test_a_wrong_checksum_keeps_nothing_and_names_both(server: str, idx_set: Entry, data_dir: Path) -> None:
    wrong = replace(idx_set, remote=(*idx_set.remote[:3], replace(idx_set.remote[3], md5="0" * 32)))
    with pytest.raises(EnvironmentFault, match=f"md5 [0-9a-f]{{32}}, not {'0' * 32}; nothing was kept"):
        fetch_set(wrong, data_dir, mirror=f"{server}/whole")
    assert files_under(data_dir) == []


def test_a_connection_that_breaks_off_keeps_nothing(server: str, idx_set: Entry, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault, match="not fetched"):
        fetch_set(idx_set, data_dir, mirror=f"{server}/cut")
    assert files_under(data_dir) == []


def test_without_network_the_lines_say_which_files_go_where(idx_set: Entry, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault) as raised:
        fetch_set(idx_set, data_dir, mirror="http://127.0.0.1:9")
    assert raised.value.exit_code == 3
    text = "\n".join(raised.value.lines)
    assert str(data_dir / "mnist" / "MNIST" / "raw") in text
    for file in idx_set.remote:
        assert f"{file.name}  md5 {file.md5}  from {file.url}" in text


def test_an_archive_put_there_by_hand_is_unpacked_without_network(served: Path, data_dir: Path) -> None:
    entry = tar_set(served, archive(CIFAR))
    (data_dir / "cifar10").mkdir()
    (served / "cifar-10-python.tar.gz").rename(data_dir / "cifar10" / "cifar-10-python.tar.gz")
    fetch_set(entry, data_dir, mirror="http://127.0.0.1:9")
    assert missing(entry, data_dir) == []


def test_a_killed_download_leaves_nothing_under_the_sets_names(
    server: str, idx_set: Entry, data_dir: Path
) -> None:
    code = (
        "import sys, pathlib\n"
        "from dataclasses import replace\n"
        "from bench.data.entries import ENTRIES\n"
        "from bench.data.fetch import fetch_set\n"
        f"fetch_set(ENTRIES['mnist'], pathlib.Path({str(data_dir)!r}), mirror='{server}/stall', "
        "on_progress=lambda *a: print('downloading', flush=True))\n"
    )
    # Chunks smaller than the half that the server sends, so that progress is told before the stall.
    code = code.replace(
        "fetch_set(ENTRIES", "import bench.data.fetch as f; f._CHUNK_BYTES = 16\nfetch_set(ENTRIES"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert len(missing(idx_set, data_dir)) == 4
    fetch_set(idx_set, data_dir, mirror=f"{server}/whole")
    assert missing(idx_set, data_dir) == []


def test_what_a_killed_download_left_is_swept_after_a_day(
    server: str, idx_set: Entry, data_dir: Path
) -> None:
    old, young = (data_dir / idx_set.folder / f".fetch-{name}" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (1, 1))
    fetch_set(idx_set, data_dir, mirror=f"{server}/whole")
    assert not old.exists()
    assert young.exists()


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "content",
    [
        archive({"../outside": b"x"}),
        archive({"/tmp/bench-outside": b"x"}),
        archive({}, link("cifar-10-batches-py", "..", tarfile.SYMTYPE)),
        archive({"a": b"x"}, link("b", "a", tarfile.LNKTYPE)),
        archive({}, link("pipe", "", tarfile.FIFOTYPE)),
        b"no archive at all",
    ],
    ids=["parent", "absolute", "symlink", "hard link", "fifo", "no archive"],
)
def test_a_malicious_archive_is_refused_and_leaves_nothing(
    content: bytes, server: str, served: Path, data_dir: Path
) -> None:
    with pytest.raises(EnvironmentFault, match="not fetched"):
        fetch_set(tar_set(served, content), data_dir, mirror=f"{server}/whole")
    assert files_under(data_dir) == []
    assert not (data_dir.parent / "outside").exists()
    assert not Path("/tmp/bench-outside").exists()


def test_an_archive_that_unpacks_too_large_is_refused(
    server: str, served: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_UNPACKED_BYTES", 20)
    with pytest.raises(EnvironmentFault, match="unpacks to over"):
        fetch_set(tar_set(served, archive(CIFAR)), data_dir, mirror=f"{server}/whole")
    assert files_under(data_dir) == []


def test_an_archive_without_the_promised_files_is_refused(server: str, served: Path, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault, match="the published files lack cifar10/cifar-10-batches-py/data_b"):
        fetch_set(tar_set(served, archive({"else/file": b"x"})), data_dir, mirror=f"{server}/whole")


@pytest.mark.parametrize("mirror", ["http://example.invalid", "ftp://example.invalid", "file:///etc"])
def test_nothing_is_fetched_but_over_tls(mirror: str, idx_set: Entry, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault, match="is not https"):
        fetch_set(idx_set, data_dir, mirror=mirror)


def test_a_redirect_away_from_tls_is_not_followed(server: str, idx_set: Entry, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"http://example\.invalid/.* is not https"):
        fetch_set(idx_set, data_dir, mirror=f"{server}/away")


def test_every_published_address_is_https() -> None:
    files: list[RemoteFile] = [file for entry in ENTRIES.values() for file in entry.remote]
    assert len(files) == 14
    assert all(file.url.startswith("https://") for file in files)


def test_console_lists_what_is_there_and_where(data_dir: Path) -> None:
    rows = {row.name: row for row in console.list_sets(data_dir)}
    assert rows["digits"].is_present
    assert not rows["mnist"].is_present
    assert rows["mnist"].can_be_fetched
    assert not rows["cifar10-jpeg"].can_be_fetched
    assert rows["oxford-pets-binary"].where == "oxford-pets"


def test_console_fetches_nothing_for_digits_and_refuses_what_nobody_serves(data_dir: Path) -> None:
    assert console.fetch("digits", data_dir) == []
    with pytest.raises(EnvironmentFault, match="cannot be fetched; put these files in place") as raised:
        console.fetch("cifar10-jpeg", data_dir)
    assert str(data_dir / "cifar10-jpeg" / "train.parquet") in raised.value.lines[1]
    with pytest.raises(DataFault, match="did you mean 'mnist'"):
        console.fetch("mnits", data_dir)
