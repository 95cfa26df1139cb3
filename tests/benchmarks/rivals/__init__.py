"""Our engine beside other trainers in one run: the same network, recipe, batch and real images.

    python -m tests.benchmarks.rivals [--device cuda] [--data DIR]

It wants the dependency group `rivals` and a machine that does nothing else; it takes ten minutes at most,
writes `results/rivals/<device>.json`, and says which figures were reached. `python -m bench.report.documents`
then brings the README's table up to date.
"""
