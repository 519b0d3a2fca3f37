"""A small interpreter of classic BPF programs, as Linux runs them for system calls."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Call", "answer_of", "instructions"]

_DATA = struct.Struct("<iIQ6Q")
"""`struct seccomp_data`: number, machine, instruction, arguments."""
_LONGEST = 4096


@dataclass(frozen=True)
class Call:
    """A system call as a filter sees it."""

    number: int
    audit: int
    arguments: tuple[int, ...] = ()

    def data(self) -> bytes:
        """Return the call as Linux lays it out."""
        arguments = (*self.arguments, *[0] * (6 - len(self.arguments)))
        signed = self.number - (1 << 32) if self.number >= 1 << 31 else self.number
        return _DATA.pack(signed, self.audit, 0, *arguments)


def instructions(program: bytes) -> Sequence[tuple[int, int, int, int]]:
    """Split a program into its instructions."""
    return list(struct.iter_unpack("=HBBI", program))


def answer_of(program: bytes, call: Call) -> int:
    """Run a program.

    Raises:
        AssertionError: The program is one that Linux would not accept.
    """
    steps, data = instructions(program), call.data()
    assert 0 < len(steps) <= _LONGEST
    place = accumulator = 0
    while True:
        code, when_true, when_false, value = steps[place]
        place += 1
        if code == 0x20:  # load a word
            assert value % 4 == 0
            assert value + 4 <= len(data)
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:  # return
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            place += when_true if tests[code] else when_false
