"""What expression depends on in each setting of the simulated cohort.

The tissue and its image do not depend on the setting: with the same seed only the counts differ,
so that a model that scores in one setting and not in another can be compared on equal pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE_DECIMALS = 6
"""Decimals that are kept of a number that decides over a count or a pixel.

Coarser than the last digits, in which ``exp`` and products of matrices differ between processors.
"""

NICHES = ("tumour", "stroma", "immune", "adipose")
FACTORS = (*NICHES, "density", "polarity", "hypoxia", "interferon", "depth")
"""The latent variables a gene can follow; ``depth`` is the standardised log depth of the unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Effect sizes of one setting.

    ``effects`` gives, per factor, the standard change of a loaded gene's log rate (absent = 0).
    ``private`` is the standard deviation of each gene's own smooth field, which no other gene,
    no image and no other slide tells anything about. ``depth_spread`` is the standard deviation
    of log depth over the units of a slide, ``cellularity_share`` the part of its variance that
    follows the number of nuclei. ``types`` scales the programmes of cell types, ``signal`` is
    the change of log rate per unit of the field of a ligand-receptor pair.
    """

    summary: str
    private: float
    depth_spread: float
    cellularity_share: float
    types: float = 0.0
    signal: float = 0.0
    effects: Mapping[str, float] = field(default_factory=dict)


SETTINGS: Mapping[str, Setting] = {
    "default": Setting(
        summary="niches, cell density, polarity, hidden programmes and depth together",
        private=0.25,
        depth_spread=0.35,
        cellularity_share=0.15,
        types=1.0,
        signal=1.0,
        effects={
            **dict.fromkeys(NICHES, 0.6),
            "density": 0.35,
            "polarity": 0.6,
            "hypoxia": 0.5,
            "interferon": 0.5,
            "depth": 0.05,
        },
    ),
    "no_signal": Setting(
        summary="every gene follows its own field: nothing predicts, ridge equals the mean",
        private=0.35,
        depth_spread=0.05,
        cellularity_share=0.3,
    ),
    "depth": Setting(
        summary="composition shifts with the log depth of the unit, and with nothing else",
        private=0.2,
        depth_spread=0.5,
        cellularity_share=0.15,
        effects={"depth": 0.5},
    ),
    "morphology": Setting(
        summary="only what the image shows predicts: niches, cell density, and polarity of nuclei",
        private=0.1,
        depth_spread=0.15,
        cellularity_share=0.0,
        types=1.0,
        effects={**dict.fromkeys(NICHES, 0.7), "density": 0.3, "polarity": 0.75},
    ),
}
