"""The collector is paused while records are made, and afterwards it is as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bench.garbage import uncollected


@pytest.fixture(autouse=True)
def _collector_as_it_was() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


def test_collection_pauses_and_goes_on_even_after_an_error() -> None:
    gc.enable()

    @uncollected()
    def fail() -> None:
        assert not gc.isenabled()
        raise ValueError("made to fail")

    with pytest.raises(ValueError, match="made to fail"):
        fail()
    assert gc.isenabled()


def test_a_pause_within_a_pause_does_not_end_it() -> None:
    gc.enable()
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
