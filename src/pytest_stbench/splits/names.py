"""Labels of patients and slides as they stand in test ids."""

from __future__ import annotations

import re
import unicodedata


def slug(label: str) -> str:
    """Return `label` with only letters, digits, ``_`` and ``.``; other characters become ``_``.

    Accents are dropped (``Müller`` gives ``Muller``). Different labels may give the same slug:
    whoever makes ids from slugs must refuse that.
    """
    plain = unicodedata.normalize("NFKD", label)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_.]+", "_", plain)
