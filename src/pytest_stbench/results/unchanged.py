"""A digest of all bytes of a results file, at its end: a file that is as it was written is read fast.

What was written was held to its own rules before; only what was touched since has to be judged anew.
"""

from __future__ import annotations

import hashlib

_LAST = b"\n}\n"
_BEFORE, _AFTER = b',\n "sha256": "', b'"\n}\n'


def with_digest(content: bytes) -> bytes:
    """Return `content`, JSON of one mapping that ends in a line of its own, with its digest as last key."""
    head = content.removesuffix(_LAST)
    return b"".join((head, _BEFORE, _digest(head), _AFTER))


def is_unchanged(content: bytes) -> bool:
    """Return whether `content` ends in the digest of all that stands before it."""
    head = memoryview(content)[: -(len(_BEFORE) + 64 + len(_AFTER))]
    return content.endswith(b"".join((_BEFORE, _digest(head), _AFTER)))


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")
