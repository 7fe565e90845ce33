"""B03: what the depth of a unit alone predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_stbench.baselines.families import EXPRESSION
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.ridge import GroupedGram, RidgeFit, fit_ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TaskInfo, TruthSlide

KNOT_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
SAME_KNOT = 1e-9


@baseline(
    "B03", kind="diagnostic", families=EXPRESSION, memory="O(genes)", source="10.1186/s13059-024-03241-7"
)
class Libsize:
    """A smooth curve of each unit's true library size: how much of the score is sequencing depth.

    Least squares of each gene on a smooth curve of log library size.

    A diagnostic: it is given the true library size of the test units, so its score is the part
    that depth explains. The curve is a restricted cubic spline of ln(library size) with knots at
    the .05, .275, .5, .725 and .95 quantiles of the training units (4 degrees of freedom), all
    training units weighted equally. Knots that coincide are merged; with fewer than three the
    curve is a line, with a constant library size the mean.

    Parameters
    ----------
    curve
        ``spline``, or ``linear`` for the log library size alone.
    """

    name = "libsize"
    revision = "1"

    def __init__(self, curve: Literal["spline", "linear"] = "spline") -> None:
        self.curve = curve
        self.knots: NDArray[np.float64] = np.empty(0)
        self._fit: RidgeFit | None = None

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {"curve": self.curve, "quantiles": list(KNOT_QUANTILES)}

    def fit(self, train: Sequence[TruthSlide], task: TaskInfo) -> None:
        """Place the knots and fit all genes."""
        depth = np.concatenate([_log(slide.libsize) for slide in train]) if train else np.empty(0)
        if len(depth) == 0:
            raise ModelError(f"{self.name} needs at least one training unit")
        knots = np.quantile(depth, KNOT_QUANTILES)
        self.knots = knots[np.r_[True, np.diff(knots) > SAME_KNOT]] if self.curve == "spline" else knots[:1]
        gram = GroupedGram(max(1, len(self.knots) - 1), len(task.genes))
        for slide in train:
            gram.add("training", spline_basis(_log(slide.libsize), self.knots), slide.values)
        self._fit = fit_ridge(gram, [0.0])

    def predict(self, slide: TruthSlide) -> NDArray[np.float32]:
        """Return the curves at the units' true library sizes, (n, g)."""
        if self._fit is None:
            raise ModelError(f"{self.name} was asked to predict before it was fitted")
        return self._fit.predict(spline_basis(_log(slide.libsize), self.knots)).astype(np.float32)


def spline_basis(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the restricted cubic spline basis of `x`: itself, then one column per inner knot pair.

    (n, k - 1) for k knots; linear outside of the outer knots. Fewer than three knots: `x` alone.

    References
    ----------
    Harrell 2015, Regression Modeling Strategies, 10.1007/978-3-319-19425-7.
    """
    if len(knots) < 3:
        return x[:, None]
    *inner, before, last = knots
    spread = (last - knots[0]) ** 2

    def cube(knot: float) -> NDArray[np.float64]:
        return np.asarray(np.maximum(x - knot, 0.0) ** 3)

    columns = [
        cube(knot)
        - cube(before) * ((last - knot) / (last - before))
        + cube(last) * ((before - knot) / (last - before))
        for knot in inner
    ]
    return np.column_stack([x, *(column / spread for column in columns)])


def _log(libsize: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln(library size); units without counts are put at 0."""
    return np.asarray(np.log(np.maximum(libsize, 1.0)))
