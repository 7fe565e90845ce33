#!/usr/bin/env bash
# spatialdata 0.8.0: `rasterize_bins` turns Visium HD bins into an image (or a label image) of one pixel a bin. The
# transformation that it writes places the CENTRE of the first bin where spatialdata places the CORNER of the first
# pixel, so that `get_extent` of the raster is half a bin right of and below that of its own bins (8 um at 16 um
# bins): a join of the raster with cells, transcripts or the H&E of the same coordinate system takes the wrong bin
# for half of the area. And the label image made of named bins says in its log that labels are numbered "without
# including the value 0 (which is reserved for the background)", while the first bin is labelled 0.
#
# Exits 0 while both are so, 1 when either changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  'spatialdata==0.8.0' 'anndata==0.13.4' 'geopandas==1.2.0' 'zarr==3.4.2'
cd "$work"
"$work/env/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import anndata
import geopandas
import numpy as np
import pandas as pd
import spatialdata
from scipy.sparse import csc_matrix
from shapely.geometry import box
from spatialdata.models import ShapesModel, TableModel
from spatialdata.transformations import Identity

SIDE = 16.0
row, column = np.indices((6, 8)).reshape(2, -1)
names = [f"s_016um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)]
squares = [box(c * SIDE, r * SIDE, (c + 1) * SIDE, (r + 1) * SIDE) for r, c in zip(row, column, strict=True)]
bins = ShapesModel.parse(
    geopandas.GeoDataFrame(geometry=squares, index=names), transformations={"global": Identity()}
)
obs = pd.DataFrame(
    {"region": pd.Categorical(["bins"] * len(names)), "id": names, "array_row": row, "array_col": column}, index=names
)
counts = csc_matrix(np.arange(1, len(names) + 1, dtype=np.float32)[:, None])
table = TableModel.parse(
    anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=["EPCAM"])),
    region="bins", region_key="region", instance_key="id",
)
data = spatialdata.SpatialData(shapes={"bins": bins}, tables={"table": table})
image = spatialdata.rasterize_bins(data, "bins", "table", "array_col", "array_row", value_key="EPCAM")
labels = spatialdata.rasterize_bins(
    data, "bins", "table", "array_col", "array_row", return_region_as_labels=True
)
for name in ("spatialdata", "anndata"):
    print(name, importlib.metadata.version(name))


def extent(element):
    found = spatialdata.get_extent(element)
    return [[round(float(end), 6) for end in found[axis]] for axis in ("x", "y")]


print("bins   x, y from and to (um):", extent(data["bins"]))
print("raster x, y from and to (um):", extent(image))
first = int(np.asarray(labels)[0, 0])
print("label of the first bin:", first)
same_pixels = np.array_equal(np.asarray(image)[0], counts.toarray().reshape(6, 8))
off = np.subtract(extent(image), extent(data["bins"]))
assert same_pixels, "the raster no longer has a pixel a bin"
assert np.allclose(off, SIDE / 2), f"the raster is off by {off.tolist()} um, not by half a bin"
assert first == 0, f"the first bin has the label {first}"
print("the raster lies 8 um off its bins; a bin carries the label of the background")
PYTHON
