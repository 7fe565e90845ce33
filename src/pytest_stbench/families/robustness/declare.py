"""T14, robustness to what is no biology."""

from __future__ import annotations

from typing import Literal

from pytest_stbench.extend import family
from pytest_stbench.spec.block import Block

PerturbationName = Literal[
    "stain_0.8",
    "stain_0.9",
    "stain_1.1",
    "stain_1.2",
    "brightness_0.9",
    "brightness_1.1",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "mirror",
    "jitter_5um",
    "jitter_10um",
    "jitter_25um",
    "rotate_slide",
    "translate_slide",
    "mpp_0.9",
    "mpp_1.1",
    "jpeg_90",
    "jpeg_50",
    "blur_1px",
    "dropout_10",
    "dropout_25",
    "dropout_50",
    "dropout_housekeeping",
    "thinning_50",
    "gene_order",
    "unit_order",
]


@family(
    "T14",
    method="",
    primary="robust_share",
    metrics=("robust_share", "retained_fraction", "self_consistency"),
    trivial="train_mean",
    simple=(),
    baselines=(),
    predicts="robustness",
    rule=False,
)
class Robustness(Block):
    """Ask the wrapped family again under perturbed inputs: what is kept?

    ``wraps`` names the family that is asked again, ``perturbations`` what is changed of its inputs; none
    named for all.
    """

    wraps: Literal["expression", "imputation", "niches", "cell_types", "proportions"] = "expression"
    perturbations: tuple[PerturbationName, ...] = ()
