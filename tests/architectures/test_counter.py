"""The counter-based hash: the same everywhere, and random enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from architectures.counter import derive, hash32, mix32, uniform

M = (1 << 32) - 1


def lowbias32(x: int) -> int:
    """As published, in unbounded integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D & M
    x ^= x >> 15
    x = x * 0x846CA68B & M
    return x ^ x >> 16


def test_mix32_is_lowbias32_of_the_literature():
    words = [0, 1, 2, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, M, 123456789]
    assert mix32(torch.tensor(words)).tolist() == [lowbias32(word) for word in words]


def test_integers_and_tensors_hash_alike():
    key = derive(3, "order")
    rows, columns = torch.arange(5)[:, None], torch.arange(7)
    whole = hash32(key, 11, rows, columns)
    assert whole.shape == (5, 7)
    for i in range(5):
        for j in range(7):
            assert int(hash32(key, 11, i, j)) == int(whole[i, j])
    assert int(hash32(torch.tensor(key), 11, 2, 3)) == int(whole[2, 3])


def test_golden_values_never_move():
    """Results of every study hang on these; a change raises ENGINE."""
    assert derive(0, "order") == 1659687314245191265
    words = hash32(derive(0, "order"), 1, torch.arange(4)).tolist()
    assert words == [1163658134, 4123222639, 1371640383, 3389160991]


def test_words_lie_in_range_and_uniforms_below_one():
    words = hash32(1, torch.arange(100_000))
    assert int(words.min()) >= 0
    assert int(words.max()) <= M
    values = uniform(1, torch.arange(100_000))
    assert values.dtype == torch.float32
    assert 0 <= float(values.min()) < float(values.max()) < 1


@pytest.mark.parametrize("key", [0, 1, (1 << 63) - 1])
def test_uniforms_of_neighbouring_counters_are_uniform_and_uncorrelated(key):
    grid = uniform(key, torch.arange(300)[:, None], torch.arange(300)).numpy().astype(np.float64)
    assert stats.kstest(grid.ravel(), "uniform").pvalue > 1e-3
    down = np.corrcoef(grid[:-1].ravel(), grid[1:].ravel())[0, 1]
    right = np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]
    assert max(abs(down), abs(right)) < 4 / 300


def test_one_flipped_input_bit_flips_half_of_the_output_bits():
    counters = torch.arange(2000)
    base = hash32(5, 9, counters)
    for bit in range(32):
        flipped = hash32(5, 9, counters ^ (1 << bit))
        share = np.mean([word.bit_count() for word in (base ^ flipped).tolist()]) / 32
        assert 0.48 < share < 0.52, f"bit {bit}: {share}"


def test_other_keys_orders_and_types_give_other_streams():
    assert derive(1, 2) != derive(2, 1)
    assert derive("1") != derive(1)
    assert derive("ab", "c") != derive("a", "bc")
    assert 0 <= derive("x") < 1 << 63
    counters = torch.arange(64)
    assert not torch.equal(hash32(1, 2, counters), hash32(2, 1, counters))
    assert not torch.equal(hash32(1 << 40, counters), hash32(0, counters))


@pytest.mark.parametrize(("key", "counter"), [(-1, 0), (1 << 63, 0), (0, -1), (0, 1 << 32)])
def test_an_integer_out_of_range_is_refused(key, counter):
    with pytest.raises(ValueError, match="lies outside"):
        hash32(key, counter)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_hashes_as_the_cpu_does():
    counters = torch.arange(1 << 16)
    key = derive(7, "augment")
    assert torch.equal(hash32(key, 3, counters.cuda()).cpu(), hash32(key, 3, counters))
    assert torch.equal(uniform(key, 3, counters.cuda()).cpu(), uniform(key, 3, counters))
