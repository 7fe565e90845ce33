#!/usr/bin/env bash
# squidpy 1.8.2: one gene that is constant on the slide, such as a gene of the panel that no spot expresses, makes
# `pval_norm_fdr_bh` of `gr.spatial_autocorr` nan for ALL genes. The statistic and p value of that gene are nan (a
# warning says that one variable was constant), and the nan goes into the correction for many tests with the others.
# `pval_norm` of the others is right. Whoever chooses spatially variable genes by `pval_norm_fdr_bh < 0.05` gets an
# empty list where 20 of 40 genes are plainly spatial. It happens as soon as a slide is cut from a larger data set,
# since a panel has genes that are absent there; genes without a count must be taken out before.
#
# Exits 0 while that is so, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  'squidpy==1.8.2' 'scanpy==1.11.5' 'anndata==0.12.19' 'statsmodels==0.15.0'
cat > "$work/test.py" <<'PYTHON'
"""40 genes on 400 spots, 20 of them higher on one half; then the last gene is the same in all spots."""
import logging
import warnings
from importlib.metadata import version

import anndata
import numpy as np
import squidpy

logging.disable(logging.CRITICAL)
random = np.random.default_rng(0)
row, column = np.divmod(np.arange(400), 20)
counts = random.poisson(np.where((column < 10)[:, None] & (np.arange(40) < 20), 5.0, 1.0)).astype(np.float32)


def tested(values):
    """Return the table of all genes, and what was warned of constant ones."""
    spots = anndata.AnnData(values, obsm={"spatial": np.column_stack([row, column]).astype(float)})
    squidpy.gr.spatial_neighbors(spots, coord_type="grid", n_neighs=4)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        squidpy.gr.spatial_autocorr(spots, mode="moran", n_perms=None)
    return spots.uns["moranI"], [str(one.message) for one in said if "constant" in str(one.message)]


print(f"squidpy {version('squidpy')}, statsmodels {version('statsmodels')}")
for name, value in (("no constant gene", None), ("the last gene is 0 everywhere", 0), ("the last gene is 3 everywhere", 3)):
    values = counts.copy()
    if value is not None:
        values[:, 39] = value
    table, said = tested(values)
    raw, corrected = table["pval_norm"], table["pval_norm_fdr_bh"]
    print(f"{name}: {said or 'no warning'}")
    print(f"  pval_norm:        {(raw < 0.05).sum()} below 0.05, {raw.isna().sum()} nan")
    print(f"  pval_norm_fdr_bh: {(corrected < 0.05).sum()} below 0.05, {corrected.isna().sum()} nan")
    assert (raw < 0.05).sum() >= 20 and raw.isna().sum() == (value is not None), "changed: other p values"
    assert corrected.isna().sum() == (0 if value is None else 40), "changed: not all corrected values are nan"
print("as described")
PYTHON
"$work/env/bin/python" "$work/test.py" 2> /dev/null
