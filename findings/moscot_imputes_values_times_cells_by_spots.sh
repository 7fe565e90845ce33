#!/usr/bin/env bash
# moscot 0.5.2: `MappingProblem.impute()` gives expression multiplied by the number of reference cells over the number
# of spots. 400 cells on 100 spots make every value four times too large, 100 cells on 400 spots a quarter; with as
# many cells as spots the mean of the imputed values is that of the cells. Its documentation calls them the imputed
# gene expression. Correlations do not see it; root mean square errors, sums over spots and thresholds do, and log1p
# values of 4.0 for 1.0 are no expression that any cell has. Dividing by cells / spots gives the weighted means.
#
# Exits 0 while that is so, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  'moscot==0.5.2' 'jax==0.10.2' 'ott-jax==0.6.0' 'scanpy==1.11.5' 'anndata==0.12.19'
cat > "$work/impute.py" <<'PYTHON'
"""Cells and spots of the same three types, in the same shares; spots lack the last 10 of 30 genes."""
import logging
import warnings
from importlib.metadata import version

import anndata
import numpy as np

warnings.simplefilter("ignore")
from moscot.problems.space import MappingProblem

logging.disable(logging.CRITICAL)
TYPES = np.where(np.arange(30) % 3 == np.arange(3)[:, None], 6.0, 1.0)
random = np.random.default_rng(0)


def measured(n):
    """Return log1p counts of `n` cells, types in turn."""
    data = anndata.AnnData(np.log1p(random.poisson(TYPES[np.arange(n) % 3])).astype(np.float32))
    data.var_names = [f"G{number}" for number in range(30)]
    return data


print(f"moscot {version('moscot')}, ott-jax {version('ott-jax')}, jax {version('jax')}")
for n_cells, n_spots in ((300, 300), (300, 75), (75, 300)):
    cells, spots = measured(n_cells), measured(n_spots)
    spots.obsm["spatial"] = random.uniform(size=(n_spots, 2))
    problem = MappingProblem(cells, spots[:, :20].copy()).prepare(sc_attr={"attr": "X"})
    found = np.asarray(problem.solve(alpha=0.5, epsilon=0.05).impute().X)
    hidden = [float(np.mean(values[:, 20:])) for values in (found, spots.X, cells.X)]
    print(
        "%d cells, %d spots: mean of the hidden genes imputed %.2f, in the spots %.2f, in the cells %.2f; "
        "largest imputed %.2f, of any cell %.2f" % (n_cells, n_spots, *hidden, found.max(), cells.X.max())
    )
    times = found.mean() / cells.X.mean()
    assert abs(times / (n_cells / n_spots) - 1) < 0.02, f"changed: {times:.2f} times the mean of the cells"
print("as described")
PYTHON
"$work/env/bin/python" "$work/impute.py" 2> /dev/null
