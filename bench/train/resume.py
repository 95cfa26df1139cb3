"""What a checkpoint holds of a run, and how a run takes it up again exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.train.checkpoint import Contents
from bench.train.packing import pack, unpack
from bench.train.progress import Progress
from bench.train.schedule import Plateau
from bench.train.step import Step
from bench.train.tally import Counts
from bench.train.weights import state_of


@dataclass(frozen=True)
class Resumable:
    """A step whose whole state can be written down."""

    step: Step
    device: torch.device
    watches_memory: bool = False
    """Whether the device's memory is the run's alone, so that its peak is noted."""

    def contents(
        self, progress: Progress, counts: Counts, plateau: Plateau, best: dict[str, Tensor]
    ) -> Contents:
        """Everything that decides how the run goes on."""
        tensors = {f"model.{name}": value for name, value in state_of(self.step.model).items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        # Library and user models draw from torch's generators; ours need no state.
        tensors["rng.cpu"] = torch.get_rng_state()
        if self.step.average is not None:
            tensors |= self.step.average.contents()
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self.device)
        if self.watches_memory:
            progress.peak_memory_bytes = max(
                torch.cuda.max_memory_allocated(self.device), progress.peak_memory_bytes or 0
            )
        notes = progress.to_notes(counts, plateau)
        notes["optimizer"] = pack(self.step.optimizer.state_dict(), "optimizer", tensors)
        notes["scaler"] = self.step.scaler.state_dict() if self.step.scaler is not None else None
        return Contents(tensors, notes)

    def misfit(self, found: Contents) -> str | None:
        """Why the checkpoint does not fit this model, in one line."""
        expected = {f"model.{name}": value.shape for name, value in state_of(self.step.model).items()}
        held = {name: value.shape for name, value in found.tensors.items() if name.startswith("model.")}
        if expected == held:
            return None
        return "the checkpoint is of another network; started again from step 0"

    def take_up(self, found: Contents) -> tuple[Progress, Counts, Plateau, dict[str, Tensor]]:
        """Set weights, optimiser, scaler and generators; returns the rest."""
        tensors = found.tensors
        if self.step.average is not None:
            self.step.average.take_up(tensors)
        self.step.model.load_state_dict(_under("model.", tensors))
        self._set_optimizer(found)
        if self.step.scaler is not None:
            self.step.scaler.load_state_dict(found.notes["scaler"])
        torch.set_rng_state(tensors["rng.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["rng.cuda"], self.device)
        self.step.recover()
        return *Progress.from_notes(found.notes), _under("best.", tensors)

    @torch.no_grad()
    def _set_optimizer(self, found: Contents) -> None:
        optimizer = self.step.optimizer
        optimizer.load_state_dict(unpack(found.notes["optimizer"], found.tensors))
        for parameter, state in optimizer.state.items():
            for name, value in state.items():
                # Fused kernels walk memory: what has a parameter's shape needs its strides.
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
