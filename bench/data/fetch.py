"""Downloads a catalogued set: over TLS, checked, unpacked in a temporary folder, and only then put in place.

Nothing half-written ever carries a set's name. A file that already lies where a download would go is used
instead, if its checksum is right: so a machine without network is served by copying files by hand.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import os
import shutil
import ssl
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import IO

from bench.data.cachedir import sync_folder
from bench.data.catalogue import missing
from bench.data.entries import Entry, RemoteFile
from bench.errors import EnvironmentFault

Progress = Callable[[str, int, int], None]
"""Called with the file's name, bytes so far and bytes in all (0 where the server does not say)."""

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0
_STALE_S = 86_400.0
"""Age at which the temporary folder of a killed download is swept away."""
_MOST_UNPACKED_BYTES = 8 << 30
_PREFIX = ".fetch-"


def fetch_set(
    found: Entry, data_dir: Path, *, on_progress: Progress | None = None, mirror: str | None = None
) -> list[str]:
    """Download what is missing of a catalogued set.

    Args:
        found: The set.
        data_dir: The data folder; made if need be.
        on_progress: Told of every downloaded chunk.
        mirror: Another place that holds the same files under the same names, in place of the published
            addresses; plain HTTP only on this machine.

    Returns:
        Paths below the data folder that were put there; empty if nothing was missing.

    Raises:
        EnvironmentFault: No network, a wrong checksum, a malicious archive, no room, an address that is not
            https. The lines say which files with which checksums go where. Nothing was put in place.
    """
    absent = missing(found, data_dir)
    if not absent:
        return []
    if not found.remote:
        lines = (f"  {data_dir / path}" for path in absent)
        raise EnvironmentFault(f"{found.name}: cannot be fetched; put these files in place:", *lines)
    target = data_dir / found.folder
    wanted = [file for file in found.remote if _is_wanted(found, file, absent)]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _workroom(target) as room:
            fresh = room / "fresh"
            (fresh / found.folder).mkdir(parents=True)
            for file in wanted:
                _obtain(file, room, target, on_progress, mirror)
                _unpack(room / file.name, fresh / found.folder)
            lacking = [path for path in missing(found, fresh) if path in absent]
            if lacking:
                raise OSError(f"the published files lack {lacking[0]}; nothing was kept")
            placed = [_put(made, target / made.name) for made in sorted((fresh / found.folder).iterdir())]
    except (OSError, http.client.HTTPException, tarfile.TarError) as error:
        raise EnvironmentFault(f"{found.name}: not fetched: {error}", *by_hand(found, data_dir)) from error
    return [path.relative_to(data_dir).as_posix() for path in placed]


def by_hand(found: Entry, data_dir: Path) -> list[str]:
    """What to copy where on a machine without network, one line a file."""
    folder = data_dir / found.folder
    packed = found.layout in ("cifar", "pets")
    again = f"then run `bench data fetch {found.name}` again" if packed else "as they are"
    return [
        f"to do it by hand, put these files into {folder}, {again}:",
        *(f"  {file.name}  md5 {file.md5}  from {file.url}" for file in found.remote),
    ]


def _is_wanted(found: Entry, file: RemoteFile, absent: list[str]) -> bool:
    """Idx files are missing one by one; what is unpacked from an archive is missing together."""
    if found.layout == "idx":
        return any(path.endswith("/" + file.name.removesuffix(".gz")) for path in absent)
    return True


@contextmanager
def _workroom(target: Path) -> Iterator[Path]:
    """A temporary folder beside the final place, so that a rename puts things there; gone afterwards."""
    for stale in target.glob(f"{_PREFIX}*"):
        if time.time() - stale.stat().st_mtime > _STALE_S:
            shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=target, ignore_cleanup_errors=True) as room:
        yield Path(room)


def _obtain(
    file: RemoteFile, room: Path, target: Path, on_progress: Progress | None, mirror: str | None
) -> None:
    """Bring one file into the work room, with the right checksum."""
    by_hand_copy = target / file.name
    if by_hand_copy.is_file():
        with by_hand_copy.open("rb") as local:
            md5 = hashlib.file_digest(
                local, functools.partial(hashlib.md5, usedforsecurity=False)
            ).hexdigest()
        if md5 == file.md5:
            shutil.copyfile(by_hand_copy, room / file.name)
            return
    url = file.url if mirror is None else f"{mirror.rstrip('/')}/{file.name}"
    md5 = _download(url, room / file.name, functools.partial(on_progress, file.name) if on_progress else None)
    if md5 != file.md5:
        raise OSError(f"{url} has md5 {md5}, not {file.md5}; nothing was kept")


def _download(url: str, path: Path, on_progress: Callable[[int, int], None] | None) -> str:
    """Download to a new file and return its md5."""
    digest = hashlib.md5(usedforsecurity=False)
    request = urllib.request.Request(_safe(url), headers={"User-Agent": "bench"})  # noqa: S310 - _safe looks
    with _opener().open(request, timeout=_TIMEOUT_S) as reply, path.open("xb") as out:
        total, done = int(reply.headers.get("Content-Length") or 0), 0
        while chunk := reply.read(_CHUNK_BYTES):
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if on_progress is not None:
                on_progress(done, total)
        out.flush()
        os.fsync(out.fileno())
    if total and done != total:
        raise OSError(f"{url} broke off after {done} of {total} bytes")
    return digest.hexdigest()


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect from TLS to plain HTTP, which torchvision and others fall back to."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        return super().redirect_request(req, fp, code, msg, headers, _safe(newurl))  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(tls, _SafeRedirects())


def _safe(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not here:
        raise urllib.error.URLError(f"{url} is not https; downloads go over TLS")
    return url


def _unpack(source: Path, fresh: Path) -> None:
    """Move one checked file, or what its archive holds, to where the new files are gathered."""
    if not source.name.endswith(".tar.gz"):
        source.rename(fresh / source.name)
        return
    with tarfile.open(source, "r:gz") as archive:
        archive.extractall(fresh, members=_harmless(archive), filter="data")


def _harmless(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files and folders only, inside the archive, of a sensible size in all."""
    total = 0
    for member in archive:
        if not (member.isfile() or member.isdir()):
            raise OSError(f"{member.name!r} in the archive is neither file nor folder; nothing was kept")
        if PurePosixPath(member.name).is_absolute() or ".." in PurePosixPath(member.name).parts:
            raise OSError(f"{member.name!r} in the archive points outside it; nothing was kept")
        total += member.size
        if total > _MOST_UNPACKED_BYTES:
            raise OSError(f"the archive unpacks to over {_MOST_UNPACKED_BYTES >> 30} GiB; nothing was kept")
        yield member


def _put(source: Path, final: Path) -> Path:
    """Rename into place; an incomplete folder that stood there goes into the work room, and away with it."""
    if final.is_dir():
        final.rename(source.with_name(f"{source.name}.old"))
    source.replace(final)
    sync_folder(final.parent)
    return final
