"""Several sections in what is called one slide; a part of Q05."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import Finding, others, percent, ranked, some
from pytest_stbench.data.readers.slide_rows import APART, LIBRARIES, SIGN
from pytest_stbench.data.sections import MAX_TWICE, signs_of_sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.data.slide import Slide


def signs_on(slide: Slide, notes: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Return the signs that a slide is several sections, with the share of its units that shows each.

    Array positions that are not declared, places and batches are known from the `notes` of reading.
    """
    if not slide.n_units:
        return {}
    names = np.asarray(slide.unit_names).astype(np.str_)
    found = {sign.text: sign.share for sign in signs_of_sections(names, slide.array_index)}
    for note, numbers in notes.items():
        units = numbers.get(slide.meta.slide_id, 0)
        if note.startswith(SIGN) and units:
            found.setdefault(note.removeprefix(SIGN), units / slide.n_units)
    return found


def several_sections(
    signs: Mapping[str, Mapping[str, float]], notes: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    """Return one finding on the slides that seem to be several sections, another on libraries alone."""
    shares = {slide: max(found.values()) for slide, found in signs.items() if found}
    findings = []
    if shares:
        slides = ranked(shares)
        worst = slides[0]
        texts = [f"{percent(share)} {text}" for text, share in signs[worst].items()]
        columns = [
            note.removeprefix(APART)
            for note, numbers in notes.items()
            if note.startswith(APART) and numbers.get(worst)
        ]
        apart = f"; {some([f'obs[{name!r}]' for name in columns])} tells them apart" if columns else ""
        findings.append(
            Finding(
                status="fail",
                text=f"slide {worst} seems to be several sections: {', '.join(texts)}{apart}{others(slides)}",
                fix=f"name the slides by `keys: {{slide: {columns[0]}}}` (--slide {columns[0]})"
                if columns
                else "write the section of each unit into a column of obs: `keys: {slide: COLUMN}`",
                statistic=shares[worst],
                threshold=MAX_TWICE,
                slides=slides,
            )
        )
    alone = {slide: float(n) for slide, n in notes.get(LIBRARIES, {}).items() if n and slide not in shares}
    if alone:
        slides = ranked(alone)
        findings.append(
            Finding(
                status="warn",
                text=f"uns['spatial'] of slide {slides[0]} has {alone[slides[0]]:.0f} libraries"
                f"{others(slides)}: it may be several sections",
                fix="name the column with the section of each unit by `keys: {slide: ...}`, or remove the "
                "libraries that are not of the slide",
                statistic=alone[slides[0]],
                threshold=1.0,
                slides=slides,
            )
        )
    return findings
