"""Find the characters that control a terminal or the direction of text, and make them harmless."""

import re

__all__ = ["as_json_escapes", "replaced", "visible"]

_STEERING = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters but the tab and line ends, line separators, and characters that reorder the text around them
(the "Trojan Source" family)."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def visible(text: str) -> str:
    """Write each steering character as its number (`⟦U+202E⟧`), so that a reader sees the real content.

    Args:
        text: Any text.

    Returns:
        Text that can be encoded as UTF-8 and steers neither a terminal nor the text around it. Lone surrogates become
        `U+FFFD`.
    """
    if text.isascii() and text.isprintable():
        return text
    return _STEERING.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", _SURROGATE.sub(_REPLACEMENT, text))


def replaced(text: str) -> str:
    """Replace each steering character and lone surrogate by `U+FFFD`; the text keeps its length."""
    if text.isascii() and text.isprintable():
        return text
    return _STEERING.sub(_REPLACEMENT, _SURROGATE.sub(_REPLACEMENT, text))


def as_json_escapes(document: str) -> str:
    r"""Write the steering characters of a JSON document as `\u` escapes; it still means the same.

    Args:
        document: JSON. Such characters only occur in its strings.
    """
    return _SURROGATE.sub(_escape, _STEERING.sub(_escape, document))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
