"""Replace people and submissions by pseudonyms that stay the same as long as their key does."""

import hashlib
import hmac

from grader.schema.data import Personal

__all__ = ["Pseudonyms"]

_DIGITS = 12
"""Hexadecimal digits of a pseudonym: two of a million people are alike with a probability of 0.2 %."""
_INITIALS = {Personal.SUBMISSION: "s", Personal.PERSON: "p"}


class Pseudonyms:
    """Makes pseudonyms. Without the key, nobody can find out which pseudonym a known name has."""

    def __init__(self, key: bytes) -> None:
        """Set the secret key."""
        self._key = key

    def of(self, kind: Personal, name: str) -> str:
        """Return the pseudonym of a submission or a person.

        Args:
            kind: `SUBMISSION` or `PERSON`; equal names of two kinds have different pseudonyms.
            name: The name.
        """
        digest = hmac.new(self._key, f"{kind}:{name}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{_INITIALS[kind]}-{digest.hexdigest()[:_DIGITS]}"
