"""The two networks without shortcuts: what their layers do."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import architectures


def test_the_simple_cnn_ends_its_blocks_with_2x2_pixels_at_32():
    model = architectures.build("simple_cnn", num_classes=10, in_chans=3, img_size=32)
    x = torch.randn(2, 3, 32, 32)
    shapes = [
        tuple((x := block(x)).shape[1:]) for block in (model.stem, model.layer1, model.layer2, model.layer3)
    ]
    assert shapes == [(32, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2)]
    assert [layer.out_features for layer in (model.fc1, model.fc2, model.fc)] == [256, 128, 10]


def test_an_odd_size_loses_its_last_row_and_column():
    model = architectures.build("simple_cnn", num_classes=10, in_chans=1, img_size=33, width=2)
    assert model(torch.randn(2, 1, 33, 33)).shape == (2, 10)


def test_the_mlp_is_its_formula():
    model = architectures.build("mlp", num_classes=3, in_chans=2, img_size=4, hidden=[6, 5]).eval()
    x = torch.randn(7, 2, 4, 4)
    expected = model.fc(F.relu(model.fc2(F.relu(model.fc1(x.flatten(1))))))
    assert torch.equal(model(x), expected)
    assert list(model.state_dict())[::2] == ["fc1.weight", "fc2.weight", "fc.weight"]
    assert not torch.equal(model.train()(x), expected)
