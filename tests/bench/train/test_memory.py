"""A CPU run keeps the memory that its steps free."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
import torch.nn.functional as F
import architectures
from bench.train.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
torch.set_num_threads(1)
model = architectures.build("cifar_resnet", depth=8, num_classes=10, in_chans=3, img_size=32)
images, labels = torch.randn(128, 3, 32, 32), torch.arange(128) % 10

def step():
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(6):
    step()
before = faults()
for _ in range(2):
    step()
print((faults() - before) // 2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_not_paged_in_again():
    faults = {}
    for what in ("keep", "give back"):
        command = [sys.executable, "-c", PROGRAM, what]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        faults[what] = int(answer.stdout)
    assert faults["keep"] < 0.2 * faults["give back"]
    assert faults["give back"] > 1000
