"""What a unit needs to be scored at all, by resolution; filter and checks share it."""

from __future__ import annotations

MIN_UNIT: dict[str, tuple[int, int]] = {
    "spot": (200, 100),
    "xisium": (50, 0),
    "bin": (10, 5),
    "cell": (10, 5),
    "transcript": (10, 5),
}
"""(fewest counts, fewest detected genes). Bins are as small as cells; transcripts are judged as cells."""
