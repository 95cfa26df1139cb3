"""Decoded once, kept on disk, checked when read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import load, loading
from bench.data.loading import arrays_digest
from bench.study.specs import DataSpec

OWN = DataSpec(name="parquet", path="own")


def caches(data_dir: Path) -> list[Path]:
    return sorted((data_dir / ".bench-cache").glob("*.images"))


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_decode_set", lambda *_: pytest.fail("decoded again"))


def test_a_second_load_decodes_nothing_and_is_equal(
    small_set: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(OWN, data_dir)
    forbid_decoding(monkeypatch)
    second = load(OWN, data_dir)
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)
    assert (first.digest, first.class_names) == (second.digest, second.class_names)
    fields = (second.train_images, second.train_labels, second.test_images, second.test_labels)
    assert second.digest == arrays_digest(fields)


@pytest.mark.parametrize("damage", ["flipped byte", "cut short", "empty", "other header"])
def test_a_damaged_cache_is_found_and_built_anew(damage: str, small_set: Path, data_dir: Path) -> None:
    digest = load(OWN, data_dir).digest
    (path,) = caches(data_dir)
    good = path.read_bytes()
    bad = bytearray(good)
    match damage:
        case "flipped byte":
            bad[len(bad) // 2] ^= 1
        case "cut short":
            del bad[-100:]
        case "empty":
            bad.clear()
        case "other header":
            bad[:8] = b"\xff" * 8
    path.write_bytes(bad)
    assert load(OWN, data_dir).digest == digest
    assert path.read_bytes() == good


def test_sizes_and_channels_have_files_of_their_own(small_set: Path, data_dir: Path) -> None:
    for change in (
        {},
        {"image_size": 6},
        {"channels": 1},
        {"image_size": 4, "resize": 6},
        {"augment": ("flip",)},
    ):
        load(OWN.model_copy(update=change), data_dir)
    assert len(caches(data_dir)) == 3  # 10×3, 6×3, 10×1


def test_changed_data_are_decoded_anew(small_set: Path, data_dir: Path, write_parquet: Any) -> None:
    from .conftest import encoded, picture

    before = load(OWN, data_dir).digest
    rows = [(encoded(picture(500 + i)), i % 2) for i in range(40)]
    write_parquet(rows, rows, names=["cat", "dog"])
    assert load(OWN, data_dir).digest != before


def test_a_subset_of_classes_is_renumbered_in_its_order(small_set: Path, data_dir: Path) -> None:
    whole = load(OWN, data_dir)
    swapped = load(OWN.model_copy(update={"classes": ("dog", 0)}), data_dir)
    assert swapped.class_names == ("dog", "cat")
    np.testing.assert_array_equal(swapped.train_labels, 1 - whole.train_labels)
    assert swapped.digest != whole.digest


def test_a_subset_leaves_the_other_images_out(data_dir: Path) -> None:
    whole = load(DataSpec(name="digits"), data_dir)
    pair = load(DataSpec(name="digits", classes=(7, 2)), data_dir)
    np.testing.assert_array_equal(
        pair.test_images[pair.test_labels == 0], whole.test_images[whole.test_labels == 7]
    )
    assert set(pair.train_labels.tolist()) == {0, 1}


def test_digits_span_the_range_and_can_be_resized_and_coloured(data_dir: Path) -> None:
    plain = load(DataSpec(name="digits"), data_dir)
    assert (plain.train_images.min(), plain.train_images.max()) == (0, 255)
    large = load(DataSpec(name="digits", image_size=16, channels=3), data_dir)
    assert large.train_images.shape == (1438, 16, 16, 3)
    coloured = load(DataSpec(name="digits", channels=3), data_dir)
    np.testing.assert_array_equal(coloured.test_images, np.repeat(plain.test_images, 3, axis=3))


def test_an_absent_data_folder_is_not_made_for_the_caches_sake(tmp_path: Path, user_cache: Path) -> None:
    load(DataSpec(name="digits"), tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    assert len(list(user_cache.glob("digits-8x1-*.images"))) == 1


def test_without_any_cache_folder_the_images_come_with_a_warning(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    (data_dir / ".bench-cache").write_text("")
    with pytest.warns(UserWarning, match="not cached: .* set XDG_CACHE_HOME"):
        assert len(load(DataSpec(name="digits"), data_dir).train_images) == 1438


def test_workers_that_decode_at_once_agree_and_leave_one_file(small_set: Path, data_dir: Path) -> None:
    digests: list[str] = []
    threads = [threading.Thread(target=lambda: digests.append(load(OWN, data_dir).digest)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(digests)) == 1
    assert len(digests) == 4
    assert [path.suffix for path in (data_dir / ".bench-cache").glob("*images*")] == [".images"]


def test_decoding_tells_how_far_it_is(small_set: Path, data_dir: Path) -> None:
    told: list[tuple[str, int, int]] = []
    load(OWN, data_dir, on_progress=lambda *line: told.append(line))
    assert told == [("decoding own", 40, 50), ("decoding own", 50, 50)]
