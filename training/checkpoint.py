"""Where an interrupted training run stands, on disk, so that the next run goes on from there."""

import os
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

FILENAME = "checkpoint.pt"


@dataclass
class Progress:
    """How far a run has come and what its validations gave."""

    epoch: int = 0  # the epoch under way, from 0
    step_in_epoch: int = 0  # optimiser steps already taken in it
    step: int = 0  # optimiser steps taken in all
    loss_sum: float = 0.0  # of the steps taken in this epoch
    best_epoch: int | None = None  # None until the first validation; -1 is the module before training
    best_figure: float = float("nan")
    history: list[dict[str, float]] = field(default_factory=list)  # one row of figures per validation
    seconds: float = 0.0  # spent so far, interruptions left out


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Copies of what training changes: the parameters that take gradients, and every buffer."""
    taught = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return {name: tensor.detach().clone() for name, tensor in [*taught.items(), *module.named_buffers()]}


def load_trained_state(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Write `trained_state` back into a module of the same shape; a missing name raises KeyError."""
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for name, value in state.items():
            tensors[name].copy_(value)


@dataclass
class Checkpoint:
    """The folder of one named run; its checkpoint belongs to one recipe only."""

    folder: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        """The one file a run keeps while it is unfinished."""
        return self.folder / FILENAME

    def save(
        self,
        progress: Progress,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
        best: dict[str, Tensor],
    ) -> None:
        """Write everything at once: a kill leaves either the old file or the new one, never half."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        state = {
            "fingerprint": self.fingerprint,
            "progress": asdict(progress),
            "module": trained_state(module),
            "optimiser": optimiser.state_dict(),
            "scheduler": scheduler.state_dict(),
            "best": best,
            "rng": torch.get_rng_state(),
        }
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def restore(
        self,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
    ) -> tuple[Progress, dict[str, Tensor], Tensor] | None:
        """Load the run's state; returns its progress, best weights and RNG state.

        None when there is no checkpoint, or it is of another recipe, or it cannot be read (then it is of no
        use to any run and the caller starts afresh; the next save replaces it).
        """
        state = self._read()
        if state is None or state["fingerprint"] != self.fingerprint:
            return None
        load_trained_state(module, state["module"])
        optimiser.load_state_dict(state["optimiser"])
        scheduler.load_state_dict(state["scheduler"])
        return Progress(**state["progress"]), state["best"], state["rng"]

    def remove(self) -> None:
        """Forget the run: it finished."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict | None:  # type: ignore[type-arg]
        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            print(f"{self.path} cannot be read ({error}); training starts afresh", flush=True)
            return None
