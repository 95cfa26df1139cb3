"""Datasets: catalogue, decoding, splits, batches and augmentation on the device."""
