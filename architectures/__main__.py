"""`python -m architectures` holds every network to its publication and to timm; with a NAME, it lists one.

stdout carries the table, stderr what is wrong. Exit codes: 0 all equal; 1 a network differs; 2 wrong usage;
3 timm is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import architectures
from architectures.nearest import nearest
from architectures.published import CASES, CIFAR, IMAGENET, MNIST, Case

SHAPE_KEYS = ("num_classes", "in_chans", "img_size")
EXTRA = "pip install 'bench[timm]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.name is None:
            return check_all(CASES)
        shape, options = _settings(arguments.name, arguments.settings)
        return list_network(arguments.name, shape, options)
    except BrokenPipeError:  # `python -m architectures … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValueError as error:
        return _fail(2, str(error))
    except ModuleNotFoundError as error:  # of a library: it says which extra holds it
        return _fail(3, str(error))


def check_all(cases: Sequence[Case]) -> int:
    """Print every case with its size and whether it is what it should be."""
    if importlib.util.find_spec("timm") is None:
        return _fail(3, f"the networks are held against timm, which is not installed; {EXTRA}")
    import torch  # noqa: PLC0415 - not for a wrong word on the command line

    from architectures.reference import differences  # noqa: PLC0415 - loads torch
    from architectures.sizes import count_macs, on_meta  # noqa: PLC0415 - loads torch

    torch.set_num_threads(1)  # images of one are too small to share
    header = ("network", "parameters", "GMACs", "held against", "verdict")
    sizes = []
    for case in cases:
        model = on_meta(case.name, **case.shape, options=case.options)
        macs = count_macs(model, in_chans=case.shape["in_chans"], img_size=case.shape["img_size"])
        n_params = sum(parameter.numel() for parameter in model.parameters())
        against = ", ".join(filter(None, (case.source, case.twin and f"timm {case.twin}")))
        sizes.append((case.label, f"{n_params:,}", _gmacs(macs), against))
    widths = [max(len(row[i]) for row in (header, *sizes)) for i in range(4)]
    _out(_bold(_line(header, widths)))
    all_equal = True
    for case, row in zip(cases, sizes, strict=True):
        found = list(differences(case))
        all_equal = all_equal and not found
        _out(_line((*row, _verdict(found)), widths))
    return 0 if all_equal else 1


def list_network(name: str, shape: Mapping[str, int], options: Mapping[str, Any]) -> int:
    """Print one network layer by layer.

    Raises:
        ValueError: It cannot be built; one line a fault.
        ModuleNotFoundError: It is a library's, which is not installed.
    """
    from architectures.sizes import list_layers, on_meta  # noqa: PLC0415 - loads torch

    model = on_meta(name, **shape, options=options)
    layers = list_layers(model, in_chans=shape["in_chans"], img_size=shape["img_size"])
    header = ("stage", "layer", "kind", "output", "parameters", "MACs")
    rows = [
        (
            layer.stage,
            layer.name or "(itself)",
            layer.kind,
            "×".join(map(str, layer.output_shape)),
            f"{layer.n_params:,}",
            f"{layer.macs:,}",
        )
        for layer in layers
    ]
    # Counted on the network, so that a tensor that no layer lists would show.
    n_params = sum(parameter.numel() for parameter in model.parameters())
    n_macs = sum(layer.macs for layer in layers)
    total = ("", "total", type(model).__name__, "", f"{n_params:,}", f"{n_macs:,}")
    widths = [max(len(row[i]) for row in (header, *rows, total)) for i in range(6)]
    numbers = (4, 5)
    _out(_bold(_line(header, widths, numbers)))
    _out("\n".join(_line(row, widths, numbers) for row in (*rows, total)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m architectures",
        description="Hold every network to its publication and to timm; with NAME, list one layer by layer.",
        epilog="exit codes: 0 all equal   1 a network differs   2 wrong usage   3 timm is not installed",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a builder, timm:NAME or torchvision:NAME")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help=f"options of the network, as in a study; and {', '.join(SHAPE_KEYS)}",
    )
    return parser


def _settings(name: str, words: Sequence[str]) -> tuple[dict[str, int], dict[str, Any]]:
    """The shape that a network is built for, and its options.

    Raises:
        ValueError: A word is no setting; one line.
    """
    shape, options = dict(_usual_shape(name)), {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is no key=value; as img_size=32")
        value = _value(text)
        if key not in SHAPE_KEYS:
            options[key] = value
        elif type(value) is int:
            shape[key] = value
        else:
            raise ValueError(f"{key}: {text!r} is not an integer")
    if not architectures.is_external(name) and name not in architectures.names():
        raise ValueError(f"{name!r} is no architecture; {nearest(name, architectures.names())}")
    return shape, options


def _usual_shape(name: str) -> Mapping[str, int]:
    """What the network was published for."""
    if name == "mlp":
        return MNIST
    return CIFAR if name.startswith(("cifar_", "simple_")) else IMAGENET


def _value(text: str) -> Any:
    """Numbers, true and false, and lists as in YAML; else text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _gmacs(macs: int) -> str:
    return f"{macs / 1e9:.3f}" if macs >= 1e9 else f"{macs / 1e9:.6f}"


def _verdict(found: Sequence[str]) -> str:
    if not found:
        return "equal"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"differs: {found[0]}{more}"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[int] = (1, 2)) -> str:
    """Cells padded to their columns, numbers to the right; a last cell without a width is not padded."""
    padded = [
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=False))
    ]
    return "  ".join([*padded, *cells[len(widths) :]]).rstrip()


def _bold(text: str) -> str:
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return text if plain else f"\033[1m{text}\033[0m"


def _out(text: str) -> None:
    """At once: a check takes seconds, and whoever waits should see what is done."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
