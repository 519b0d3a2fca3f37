"""Tell errors of a GPU without free memory from other errors of a notebook.

If several notebooks share a GPU, one of them may take the memory that another one needs. The texts come from
TensorFlow's sources and users' reports; no GPU was available to cause them.
"""

import re
from collections.abc import Sequence

from grader.execution.sandbox.device import Device
from grader.schema.errors import StarvedError
from grader.schema.submission import CellError

__all__ = ["check_gpu_memory", "lacked_gpu_memory"]

_SIGNS = re.compile(
    r"device:GPU|GPU_\d+_bfc|RESOURCE_EXHAUSTED: Out of memory"
    r"|CUDA_ERROR_OUT_OF_MEMORY|(?:CUDNN|CUBLAS|CUFFT|CUSOLVER)_STATUS_ALLOC_FAILED"
    r"|Dst tensor is not initialized|DNN library initialization failed|cuDNN failed to initialize"
    r"|Blas \w+ launch failed|failed to allocate .* from device|failed\. Status: out of memory"
)
_NAMES = re.compile(r"\b(?:ResourceExhausted|Internal|Unknown|FailedPrecondition|XlaRuntime)Error$")
"""Error classes of TensorFlow that these texts occur in; others may quote them."""


def lacked_gpu_memory(errors: Sequence[CellError]) -> bool:
    """Whether a cell failed because a GPU had no free memory."""
    return any(_NAMES.search(error.name) and _SIGNS.search(str(error.message)) for error in errors)


def check_gpu_memory(errors: Sequence[CellError], device: Device) -> None:
    """Check that no notebook failed because of others on its GPU.

    Args:
        errors: The errors of a notebook's cells.
        device: The device of the notebook.

    Raises:
        StarvedError: The GPU is shared and had no free memory.
    """
    if device.shared and lacked_gpu_memory(errors):
        message = f"the GPU {device.label} had no free memory, and other notebooks used it at the same time"
        advice = "the same command tries again: use `--jobs auto`, which runs one notebook on each GPU"
        raise StarvedError(message, where="--jobs", advice=advice)
