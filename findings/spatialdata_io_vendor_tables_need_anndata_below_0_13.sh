#!/usr/bin/env bash
# spatialdata-io 0.7.1 installs beside anndata 0.13 (nothing in its metadata forbids it, and pip takes it by default),
# but its readers `cosmx` and `merscope` hand `dtype=` to AnnData, which 0.13 no longer takes: every valid CosMx flat
# file export and every MERSCOPE output ends in a TypeError, while `xenium`, `visium` and `visium_hd` of the same
# installation work. With anndata 0.12.6 in its place the same two folders are read (with a warning).
#
# Exits 0 while that is so, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
pip() { "$work/env/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
pip 'spatialdata-io==0.7.1' 'spatialdata==0.8.0' 'anndata==0.13.4'
cd "$work"
cat > read.py <<'PYTHON'
import importlib.metadata
from pathlib import Path

import numpy as np
import pandas as pd
from spatialdata_io import cosmx, merscope

folder = Path("vendors")
folder.mkdir(exist_ok=True)
rng = np.random.default_rng(0)
genes = ["EPCAM", "VIM", "PTPRC"]
counts = rng.poisson(3, (12, 3))
local = rng.uniform(100, 4000, (12, 2))

(folder / "cosmx" / "CellComposite").mkdir(parents=True, exist_ok=True)
(folder / "cosmx" / "CellLabels").mkdir(exist_ok=True)
of = pd.DataFrame({"fov": np.repeat([1, 2], 6), "cell_ID": [*range(1, 7)] * 2})
pd.concat([of, pd.DataFrame(counts, columns=genes)], axis=1).to_csv(
    folder / "cosmx" / "S1_exprMat_file.csv", index=False
)
meta = of.assign(
    CenterX_local_px=local[:, 0], CenterY_local_px=local[:, 1],
    CenterX_global_px=local[:, 0] + 5000 * of["fov"], CenterY_global_px=local[:, 1] + 8000,
)
meta.to_csv(folder / "cosmx" / "S1_metadata_file.csv", index=False)
pd.DataFrame({"fov": [1, 2], "x_global_px": [5000, 10000], "y_global_px": [8000, 8000]}).to_csv(
    folder / "cosmx" / "S1_fov_positions_file.csv", index=False
)

(folder / "merscope" / "images").mkdir(parents=True, exist_ok=True)
(folder / "merscope" / "images" / "micron_to_mosaic_pixel_transform.csv").write_text("9.2 0 0\n0 9.2 0\n0 0 1\n")
ids = [f"30000000000{i:04d}" for i in range(12)]
pd.DataFrame(counts, columns=genes, index=pd.Index(ids, name="cell")).to_csv(folder / "merscope" / "cell_by_gene.csv")
pd.DataFrame(
    {"fov": 1, "volume": 500.0, "center_x": local[:, 0], "center_y": local[:, 1]}, index=pd.Index(ids, name="EntityID")
).to_csv(folder / "merscope" / "cell_metadata.csv")

print("spatialdata-io", importlib.metadata.version("spatialdata-io"), "anndata", importlib.metadata.version("anndata"))
readers = {
    "cosmx": lambda: cosmx(folder / "cosmx", transcripts=False),
    "merscope": lambda: merscope(
        folder / "merscope", transcripts=False, cells_boundaries=False, mosaic_images=False
    ),
}
for name, read in readers.items():
    try:
        table = next(iter(read().tables.values()))
        print(name, "read", table.shape)
    except TypeError as error:
        print(name, "TypeError", error)
PYTHON
"$work/env/bin/python" -W ignore read.py 2>/dev/null | tee new.txt
pip 'anndata==0.12.6'
"$work/env/bin/python" -W ignore read.py 2>/dev/null | tee old.txt
grep -q "^cosmx TypeError.*dtype" new.txt
grep -q "^merscope TypeError.*dtype" new.txt
grep -q "^cosmx read (12, 3)" old.txt
grep -q "^merscope read (12, 3)" old.txt
echo "the same folders are read beside anndata 0.12.6 and end in a TypeError beside 0.13.4"
