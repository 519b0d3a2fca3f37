"""Errors of a GPU without free memory; the errors are imitated."""

import pytest

from grader.execution.gpu_errors import check_gpu_memory, lacked_gpu_memory
from grader.execution.sandbox.device import Device
from grader.schema.errors import StarvedError
from grader.schema.submission import CellError

FULL = CellError(
    cell=3,
    name="ResourceExhaustedError",
    message="OOM when allocating tensor with shape[512,64] on /job:localhost/device:GPU:0 by allocator GPU_0_bfc",
)
SHARED = Device("gpu", 0, "Tesla T4", shared=True)


def an_error(name: str, message: str) -> CellError:
    return CellError(cell=1, name=name, message=message)


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        an_error("InternalError", "cudaGetDevice() failed. Status: out of memory"),
        an_error("InternalError", "Dst tensor is not initialized."),
        an_error("UnknownError", "Failed to get convolution algorithm, because cuDNN failed to initialize"),
        an_error("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 268435456 bytes."),
        an_error("FailedPreconditionError", "DNN library initialization failed. Look at the errors above"),
    ],
)
def test_a_full_gpu_that_others_use_costs_no_points(error: CellError) -> None:
    with pytest.raises(StarvedError, match="Tesla T4 had no free memory"):
        check_gpu_memory([error], SHARED)
    check_gpu_memory([error], Device("gpu", 0, "Tesla T4"))
    check_gpu_memory([error], Device("cpu"))


@pytest.mark.parametrize(
    "error",
    [
        an_error("ResourceExhaustedError", "OOM when allocating tensor on /job:localhost/device:CPU:0"),
        an_error("MemoryError", "Unable to allocate 40.0 GiB for an array"),
        an_error("InvalidArgumentError", "shapes do not match [Op: MatMul] on device:GPU:0"),
        an_error("ValueError", "my message about CUDA_ERROR_OUT_OF_MEMORY"),
    ],
)
def test_other_errors_are_the_notebooks_own(error: CellError) -> None:
    assert not lacked_gpu_memory([error])
    check_gpu_memory([error], SHARED)
