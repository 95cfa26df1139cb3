"""The stages of a network that names none, read off its module tree.

timm and torchvision name the parts of a network in many ways (`layer1`, `stages.0`, `blocks`, `features`,
`encoder.layers`), but nearly all are a trunk of blocks between a small stem and a linear head. The head is
found first; then the trunk is opened until its blocks lie side by side; what lies before the first block is
the stem. Every parameter and every buffer belongs to exactly one stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class Unit:
    """A module, or a parameter or buffer that lies beside modules.

    Attributes:
        name: Dotted, as in the state dict.
        module: None for a parameter or buffer.
        n_layers: How many modules within hold parameters or buffers of their own.
    """

    name: str
    module: nn.Module | None
    n_layers: int

    @property
    def is_block(self) -> bool:
        """More than a convolution and its norm, a transition of such, or a patch merging."""
        return self.n_layers > 2


def library_stages(model: nn.Module) -> Mapping[str, tuple[str, ...]]:
    """Stages `stem`, `layer1`, …, `head` of any network, each with the names of its modules.

    Args:
        model: A classifier. Its modules must be registered in the order of the computation.

    Returns:
        Names in the state dict's dotted form: of modules, and of parameters and buffers that no module but
        the network itself (or its opened trunk) holds. `head` is the classifier alone: the norm before it
        belongs to the last layer.
    """
    head = _head(model)
    units = [unit for unit in _open(model, head) if unit.name not in head]
    first = next((i for i, unit in enumerate(units) if unit.module is not None), 0)
    groups: list[list[Unit]] = [[]]
    for i, unit in enumerate(units):
        if i > first and _starts_layer(units, i):
            groups.append([])
        groups[-1].append(unit)
    full = [tuple(u.name for u in group if u.n_layers) for group in groups]
    body = [names for names in full if names]
    return {
        **{"stem" if i == 0 else f"layer{i}": names for i, names in enumerate(body)},
        "head": head,
    }


def _starts_layer(units: list[Unit], i: int) -> bool:
    """A layer starts at a block, at the transition before it, and behind a pooling."""
    unit, before = units[i], units[i - 1]
    if isinstance(before.module, _POOLS):
        return any(_has_matrix(unit) for unit in units[i:])
    if unit.is_block:
        return not _is_transition(before) or i < 2
    return _is_transition(unit) and i + 1 < len(units) and units[i + 1].is_block


def _is_transition(unit: Unit) -> bool:
    """A layer or two in a module around them, such as a norm and the convolution that halves the sides."""
    return unit.module is not None and 0 < unit.n_layers <= 2 and not _holds_tensors(unit.module)


def _has_matrix(unit: Unit) -> bool:
    """Whether more than norms: behind the last pooling a norm still belongs to the last layer."""
    return unit.module is not None and any(p.ndim > 1 for p in unit.module.parameters())


def _head(model: nn.Module) -> tuple[str, ...]:
    """Names of the classifier's modules: what timm says it is, else the last linear layer or convolution."""
    ask = getattr(model, "get_classifier", None)
    classifier = ask() if callable(ask) else None
    parts = classifier if isinstance(classifier, tuple | list) else (classifier,)
    named = {id(module): name for name, module in model.named_modules()}
    names = tuple(
        named[id(part)] for part in parts if part is not None and id(part) in named and _n_layers(part)
    )
    if names:
        return names
    layers = [name for name, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if not layers:
        raise TypeError(f"{type(model).__name__} has neither a linear layer nor a convolution: no head")
    return (layers[-1],)


def _open(model: nn.Module, head: tuple[str, ...]) -> list[Unit]:
    """Units side by side: what holds the head is opened, and so is the trunk, the only block of its level."""
    units = list(_children("", model))
    while True:
        holder = next((u for u in units if any(name.startswith(f"{u.name}.") for name in head)), None)
        trunk = holder or _only_block([u for u in units if u.name not in head])
        if trunk is None or trunk.module is None:
            return units
        at = units.index(trunk)
        units[at : at + 1] = _children(trunk.name, trunk.module)


def _only_block(units: list[Unit]) -> Unit | None:
    """The one block among the units, if it holds blocks itself; a big stem counts as none."""
    blocks = [unit for unit in units if unit.is_block]
    if len(blocks) == 2 and blocks[0] is next((u for u in units if u.module is not None), None):
        blocks = blocks[1:]
    if len(blocks) != 1 or blocks[0].module is None:
        return None
    # A block is not opened further, but for a plain row of layers (VGG).
    inner = _children("", blocks[0].module)
    is_trunk = isinstance(blocks[0].module, nn.Sequential) or any(unit.is_block for unit in inner)
    return blocks[0] if is_trunk else None


def _children(prefix: str, module: nn.Module) -> Iterator[Unit]:
    dot = f"{prefix}." if prefix else ""
    for name, _ in module.named_parameters(recurse=False):
        yield Unit(f"{dot}{name}", None, 1)
    for name, _ in module.named_buffers(recurse=False):
        yield Unit(f"{dot}{name}", None, 1)
    for name, child in module.named_children():
        yield Unit(f"{dot}{name}", child, _n_layers(child))


def _n_layers(module: nn.Module) -> int:
    return sum(_holds_tensors(inner) for inner in module.modules())


def _holds_tensors(module: nn.Module) -> bool:
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return bool(own)
