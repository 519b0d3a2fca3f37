"""Renders printed text as a terminal shows it: progress bars overwrite themselves, and colors are removed."""

import re
from collections import deque

__all__ = ["Screen", "collapse"]

_TOKEN = re.compile(
    r"""\x1b\[[0-?]*[ -/]*[@-~]            # a control sequence: colours, cursor movements, erasing
      | \x1b\][^\x07\x1b]*(?:\x07|\x1b\\)  # an operating system command, such as a window title
      | \x1b[^\[\]]                        # another escape of two characters
      | [\x00-\x08\x0a-\x1f\x7f-\x9f]      # a control character other than the tab
    """,
    re.VERBOSE,
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|\][^\x07\x1b]{0,256}\x1b?)?\Z")
_ERASE = re.compile(r"\x1b\[([012]?)K")


class Screen:
    """Collects printed text in bounded memory while it arrives.

    After a carriage return or a backspace, new text overwrites the old text of the line, as on a terminal. If the text
    exceeds the limit, its beginning and its end are kept, with a note between them.
    """

    def __init__(self, limit: int) -> None:
        """Start with an empty screen.

        Args:
            limit: Number of characters to keep, at least 0; a single line is cut at the same length. The last complete
                line is always kept, and the unfinished line does not count.
        """
        self.limit = max(0, limit)
        self.cut = 0
        """Number of removed characters."""
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._line: list[str] = []
        self._column = 0
        self._held = ""

    def feed(self, text: str) -> None:
        """Add the next piece of text; pieces may be split anywhere, also within an escape sequence."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        self._held = text[unfinished.start() :] if unfinished else ""
        if unfinished:
            text = text[: unfinished.start()]
        place = 0
        for token in _TOKEN.finditer(text):
            self._write(text[place : token.start()])
            self._control(token[0])
            place = token.end()
        self._write(text[place:])

    def size(self) -> int:
        """Return the number of characters kept so far."""
        return self._head_size + self._tail_size + min(len(self._line), self.limit)

    def render(self) -> str:
        """Return the text on the screen."""
        line = "".join(self._line)
        if not self.cut:
            return "".join((*self._head, *self._tail, line))
        note = f"\n[… {self.cut:,} characters were cut here by the grader …]\n"
        return "".join(self._head).rstrip("\n") + note + "".join(self._tail) + line

    def _write(self, text: str) -> None:
        room = self.limit - self._column
        if len(text) > room:
            self.cut += len(text) - max(0, room)
            text = text[: max(0, room)]
        if not text:
            return
        self._line[self._column : self._column + len(text)] = text
        self._column += len(text)

    def _control(self, mark: str) -> None:
        if mark == "\n":
            self._commit("".join(self._line) + "\n")
            self._line, self._column = [], 0
        elif mark == "\r":
            self._column = 0
        elif mark == "\b":
            self._column = max(0, self._column - 1)
        elif erase := _ERASE.fullmatch(mark):
            self._erase(erase[1] or "0")

    def _erase(self, what: str) -> None:
        if what in "02":
            del self._line[self._column :]
        if what in "12":
            self._line[: self._column] = " " * min(self._column, len(self._line))

    def _commit(self, line: str) -> None:
        half = self.limit // 2
        if not self._tail and self._head_size + len(line) <= half:
            self._head.append(line)
            self._head_size += len(line)
            return
        self._tail.append(line)
        self._tail_size += len(line)
        while len(self._tail) > 1 and self._head_size + self._tail_size > self.limit:
            dropped = self._tail.popleft()
            self._tail_size -= len(dropped)
            self.cut += len(dropped)


def collapse(text: str, limit: int | None = None) -> str:
    r"""Render printed text as a terminal shows it.

    Args:
        text: Text with `\r`, backspaces and escape sequences.
        limit: Number of characters to keep; None keeps all.

    Returns:
        Text without control characters except newlines and tabs.
    """
    screen = Screen(len(text) if limit is None else limit)
    screen.feed(text)
    return screen.render()
