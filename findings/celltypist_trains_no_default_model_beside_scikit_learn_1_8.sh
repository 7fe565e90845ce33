#!/usr/bin/env bash
# CellTypist 1.7.1 asks for `scikit-learn >=0.24.1`, so pip puts the newest beside it. Its default way of training a
# model, `celltypist.train(cells, labels=...)` by logistic regression, hands `multi_class="ovr"` to LogisticRegression,
# which scikit-learn 1.8 no longer takes: every valid training set ends in a TypeError, after the data were checked and
# scaled. With scikit-learn 1.7 the same call works and warns. `use_SGD=True` trains with both: that is another
# solver and another model, so that numbers of the two cannot be compared.
#
# Exits 0 while that is so, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
pip() { "$work/env/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet 'celltypist==1.7.1' 'scanpy==1.11.5' 'anndata==0.12.19' 'scikit-learn==1.8.0'
cat > "$work/train.py" <<'PYTHON'
"""Train on two classes that two thirds of the genes tell apart, log1p of 10,000 counts a cell as asked."""
import logging
import sys
import warnings

import anndata
import numpy as np
import scanpy
import sklearn

warnings.simplefilter("ignore")
import celltypist

logging.disable(logging.CRITICAL)
random = np.random.default_rng(0)
of_b = np.arange(60) >= 30
counts = random.poisson(np.where(of_b[:, None] & (np.arange(30) < 20), 6.0, 1.0)).astype(np.float32)
cells = anndata.AnnData(counts)
cells.obs["label"] = np.where(of_b, "b", "a")
scanpy.pp.normalize_total(cells, target_sum=1e4)
scanpy.pp.log1p(cells)
for name, options in {"by default": {}, "use_SGD": {"use_SGD": True}}.items():
    try:
        model = celltypist.train(cells, labels="label", check_expression=False, **options)
        found = celltypist.annotate(cells, model=model).predicted_labels.predicted_labels
        said = f"{np.mean(found.to_numpy(str) == cells.obs['label'].to_numpy(str)):.2f} of 60 cells right"
    except TypeError as error:
        said = f"TypeError: {error}"
    print(f"scikit-learn {sklearn.__version__}, {name}: {said}", flush=True)
PYTHON
pip list 2> /dev/null | grep -i -E '^(celltypist|scanpy|anndata) '
echo "its metadata: $(grep -i '^Requires-Dist: scikit-learn' "$work"/env/lib/python3*/site-packages/celltypist-*.dist-info/METADATA)"
new=$("$work/env/bin/python" "$work/train.py" 2> /dev/null)
pip install --quiet 'scikit-learn==1.7.2'
old=$("$work/env/bin/python" "$work/train.py" 2> /dev/null)
printf '%s\n' "$new" "$old"
[[ $new == *"by default: TypeError:"*multi_class* ]] || { echo "changed: it trains by default beside 1.8"; exit 1; }
[[ $new == *"use_SGD: 1.00"* ]] || { echo "changed: use_SGD does not train beside 1.8"; exit 1; }
[[ $old == *"by default: 1.00"*"use_SGD: 1.00"* ]] || { echo "changed: it does not train beside 1.7"; exit 1; }
echo "as described"
