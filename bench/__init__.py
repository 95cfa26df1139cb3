"""bench: declared ablation studies of image classifiers, with numbers that can be traced to their runs."""

__version__ = "0.1.0"
