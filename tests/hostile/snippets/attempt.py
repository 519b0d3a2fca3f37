import ctypes
import errno
import os
import platform
import time

libc = ctypes.CDLL(None, use_errno=True)
COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]


def attempt(name, action):
    """Print what came of an action: `done` with its result, or the error's name."""
    try:
        result = action()
        print(name, "-> done", repr(result)[:200])
    except BaseException as error:
        print(name, "->", errno.errorcode.get(getattr(error, "errno", None) or 0) or type(error).__name__)


def call(numbers, *arguments):
    """Make a system call by its number on x86-64 and ARM 64."""
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(numbers[COLUMN]), *map(ctypes.c_long, arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
