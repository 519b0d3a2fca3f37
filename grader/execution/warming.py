"""Starts warm processes for the kernels and predictors of a class before they are needed.

The kernel's imports then overlap with everything that the grader does before its first kernel, and the predictor's
with the notebook.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.execution.sandbox.device import Device
from grader.execution.sandbox.isolation import Binds, Isolation, Mount, ProcessLimits
from grader.execution.sandbox.layout import Layout
from grader.execution.sandbox.warm import Program, WarmPool

__all__ = ["KERNEL", "PREDICTOR", "WarmStart", "kernel_variables"]

KERNEL = "inside.kernel"
PREDICTOR = "inside.predictor"


def kernel_variables(seed: int, device: Device, threads: int) -> dict[str, str]:
    """Return the environment variables of kernels, which other sandboxes do not get.

    Args:
        seed: The seed of hashes.
        device: Device for trainings.
        threads: Threads for one operation.
    """
    return {"PYTHONHASHSEED": str(seed), **device.environment(threads)}


@dataclass(frozen=True, slots=True)
class WarmStart:
    """The common settings of the kernels and predictors of a class."""

    isolation: Isolation
    python: Path
    dialect: Literal["keras3", "keras2"]
    device: Device
    threads: int
    seed: int
    """Seed of the first attempt."""
    predicts: bool
    """Whether models are verified by predictions."""

    def begin(self, pool: WarmPool) -> None:
        """Begin to start the warm processes, without waiting; an error appears when a process is needed."""
        pool.prepare(self._program(KERNEL, kernel_variables(self.seed, self.device, self.threads)))
        if self.predicts:
            pool.prepare_next(self._program(PREDICTOR, self.device.environment(self.threads)))

    def _program(self, module: str, variables: dict[str, str]) -> Program:
        """Describe a program as far as its warm process depends on it."""
        layout = Layout(Path(), moved=self.isolation.moves_paths)
        return Program(
            module=module,
            arguments=(),
            python=self.python,
            dialect=self.dialect,
            isolation=self.isolation,
            binds=Binds((), Mount(Path(), Path()), Mount(Path(), Path())),
            env=layout.environment(self.python, variables),
            cwd=Path(),
            limits=ProcessLimits(),
            log=Path(),
        )
