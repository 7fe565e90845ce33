"""SpatialData stores: tables, points, shapes, labels and images of one zarr folder a slide.

The few groups that are needed are read by zarr and anndata; the package ``spatialdata`` is not.
"""

from __future__ import annotations
