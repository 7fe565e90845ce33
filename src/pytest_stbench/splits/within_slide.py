"""Spatial blocks of one slide: what it says holds within the slide, not for other patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.errors import SplitError
from pytest_stbench.extend import split
from pytest_stbench.splits.table import Fold, fold_names, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.splits.table import Sample


@split()
def within(
    samples: Sequence[Sample],
    *,
    block_um: float = 500.0,
    gap_um: float = 200.0,
    test_share: float = 0.25,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Spatial blocks of one slide with a gap between train and test: no generalisation, no interval.

    There is one fold for each slide, named by the slug of its id.

    `block_um` is the side of a block and `gap_um` the distance kept between train and test (um),
    `test_share` the share of blocks to test on, `seed` fixes which. The blocks themselves are cut
    when the slide is read.
    """
    params = {"block_um": block_um, "gap_um": gap_um, "test_share": test_share}
    for name, value in params.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SplitError(f"within: {name} must be a number, found {value!r}")
    # Written so that nan, which compares false, is refused as well.
    if not (0 < block_um < float("inf") and 0 <= gap_um < float("inf") and 0 < test_share < 1):
        raise SplitError(
            "within needs block_um above 0, gap_um of at least 0 and test_share between 0 and 1; found "
            f"block_um={block_um}, gap_um={gap_um}, test_share={test_share}"
        )
    whole_number("seed", seed, low=0)
    names = fold_names((sample.slide for sample in samples), "slide")
    values = {name: float(value) for name, value in params.items()}
    return tuple(
        Fold(name=name, train=(slide,), test=(slide,), within=True, seed=seed, params=values)
        for slide, name in names.items()
    )
