"""Which published weights a network has on the Hugging Face hub, and where they lie once fetched.

Torch-free and timm-free, so that planning can name a weights file and take its digest. timm keeps one
repository a network and recipe, `timm/resnet18.a1_in1k`, with the weights in `model.safetensors`; a fetched
file lies in the hub's cache, whose layout is public: `models--timm--NAME/refs/main` holds the revision and
`snapshots/REVISION/` the files.
"""

from __future__ import annotations

import os
from pathlib import Path

WEIGHTS_FILE = "model.safetensors"

_RECIPES = {
    "resnet18": "resnet18.a1_in1k",
    "resnet34": "resnet34.a1_in1k",
    "resnet50": "resnet50.a1_in1k",
    "resnet101": "resnet101.a1h_in1k",
    "resnet152": "resnet152.a1h_in1k",
}
"""timm's default recipe of each: Wightman, Touvron, Jégou (2021), "ResNet strikes back", table 1."""


class WeightsUnavailableError(OSError):
    """Published weights are neither in the cache nor to be had."""


def timm_weights_name(name: str) -> str | None:
    """The name of a network's weights in timm's vocabulary.

    Args:
        name: As `architectures.build` takes it: `resnet18`, `timm:resnet18` or `timm:resnet18.tv_in1k`.

    Returns:
        `resnet18.a1_in1k` and the like; None for a network without published weights, and for a timm model
        named without its recipe that is none of ours.
    """
    library, _, model = name.rpartition(":")
    if library not in ("", "timm"):
        return None
    if library and "." in model:
        return model
    return _RECIPES.get(model)


def cached_timm_weights(name: str) -> Path | None:
    """The weights file of a network in the local cache; None where there is none.

    Args:
        name: As for `timm_weights_name`.
    """
    weights = timm_weights_name(name)
    if weights is None:
        return None
    repository = _hub_cache() / f"models--timm--{weights}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    path = repository / "snapshots" / revision / WEIGHTS_FILE
    return path if path.is_file() else None


def fetch_timm_weights(name: str) -> Path:
    """The weights file of a network, from the cache or else from the hub.

    Args:
        name: As for `timm_weights_name`.

    Raises:
        WeightsUnavailableError: No such weights, no network, or timm's extra is not installed.
    """
    cached = cached_timm_weights(name)
    if cached is not None:
        return cached
    weights = timm_weights_name(name)
    if weights is None:
        known = ", ".join(_RECIPES)
        raise WeightsUnavailableError(
            f"{name} has no weights of timm's; these have: {known}, timm:NAME.RECIPE; or give a file"
        )
    try:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415 - comes with the timm extra
    except ModuleNotFoundError:
        raise WeightsUnavailableError(
            f"{weights}: fetching needs the extra: pip install 'bench[timm]'; or give a file"
        ) from None
    try:
        return Path(hf_hub_download(f"timm/{weights}", WEIGHTS_FILE))
    # The hub's own errors are an OSError, a ValueError for a bad name, or both.
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailableError(
            f"{weights}: not in the cache and not to be fetched ({reason}); give a file instead"
        ) from error


def _hub_cache() -> Path:
    """Where huggingface_hub keeps repositories, by the variables that it reads."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"
