"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real datasets and weights; the test skips where it is absent."""
    folder = Path(os.environ.get("BENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder.name}/ beside the checkout; set BENCH_SHARED_DATA")
    return folder
