"""The file of a measurement against rivals: named by the device, read back whole, refused when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from rivals_helpers import make_rivals

from bench.errors import EnvironmentFault
from bench.record.rivals import file_name, read_rivals, write_rivals


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H200", "nvidia-h200.json"),
        ("Intel(R) Xeon(R) @ 2.10GHz", "intel-r-xeon-r-2-10ghz.json"),
        ("/", "unknown.json"),
    ],
)
def test_a_device_model_makes_a_file_name(device: str, name: str) -> None:
    assert file_name(device) == name


def test_what_is_written_is_read_back_cpus_first(tmp_path: Path) -> None:
    gpu, cpu = make_rivals(device_kind="cuda", device="A GPU"), make_rivals(device="Z CPU")
    for rivals in (gpu, cpu):
        write_rivals(tmp_path, rivals)
    assert read_rivals(tmp_path) == [cpu, gpu]
    assert read_rivals(tmp_path / "nowhere") == []


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    path = write_rivals(tmp_path, make_rivals())
    path.write_text(path.read_text().replace('"best"', '"fastest"'))
    with pytest.raises(EnvironmentFault, match=r"some-cpu\.json: Field required"):
        read_rivals(tmp_path)
