"""Find the programming language of a notebook from its metadata."""

import re
from collections.abc import Mapping

from grader.schema.base import Json

__all__ = ["foreign_language"]

_KERNELS = {
    "ir": "R",
    "xr": "R",
    "julia": "Julia",
    "octave": "Octave",
    "matlab": "MATLAB",
    "scala": "Scala",
    "almond": "Scala",
    "xcpp": "C++",
    "javascript": "JavaScript",
    "deno": "JavaScript",
    "bash": "Bash",
    "java": "Java",
    "kotlin": "Kotlin",
    "ruby": "Ruby",
    "rust": "Rust",
    "evcxr": "Rust",
    "gophernotes": "Go",
    "sas": "SAS",
    "stata": "Stata",
    "ihaskell": "Haskell",
    "wolfram": "Wolfram Language",
}
"""Start of a kernel's name → its language."""
_OTHERS = ("C", "C#", "F#", "Fortran", "Lua", "OCaml", "Perl", "PHP", "PowerShell", "SQL", "Swift", "TypeScript")
_LANGUAGES = {language.lower(): language for language in (*_KERNELS.values(), *_OTHERS)} | {
    "mathematica": "Wolfram Language",
    "shell": "Bash",
    "cpp": "C++",
    "csharp": "C#",
}
"""Languages other than Python, by their name in lower case. Editors also write other words, such as `plaintext`."""


def foreign_language(metadata: Mapping[str, Json]) -> str | None:
    """Return the language of a notebook that is not written in Python.

    An unknown name is no reason to refuse a notebook: VS Code writes `plaintext` if no kernel was chosen.

    Args:
        metadata: The notebook's metadata.

    Returns:
        The language's name, or None for Python and for unknown names.
    """
    spec, info = metadata.get("kernelspec"), metadata.get("language_info")
    spec = spec if isinstance(spec, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    kernel = str(spec.get("name") or "").strip().lower()
    languages = [str(value).strip().lower() for value in (spec.get("language"), info.get("name")) if value]
    if any("python" in name for name in (kernel, *languages)):
        return None
    named = next((_LANGUAGES[name] for name in languages if name in _LANGUAGES), None)
    if named is not None:
        return named
    match = re.match(r"([a-z]+)", kernel)
    return _KERNELS.get(match[1]) if match else None
