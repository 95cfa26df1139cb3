"""Data with a published answer, for the tests of the statistics."""

from __future__ import annotations

from bench.analyse.estimate import Scores

SLEEP_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SLEEP_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
"""Extra hours of sleep under two drugs; Student (1908), R's data set `sleep`."""

DEPTHS = (20, 32, 44, 56, 110)
DEPTH_ROWS = (
    (8.7, 7.6, 7.2, 7.0, 6.5),
    (8.5, 7.4, 7.3, 6.9, 6.7),
    (8.9, 7.5, 7.0, 7.1, 6.4),
    (8.6, 7.7, 7.1, 6.8, 6.6),
)
"""Made-up test errors, one row a seed."""


def scores(values, one_image=None):
    return Scores(dict(enumerate(values)), one_image)
