"""Maps of what is kept: truth and predictions of a slide as h5ad, made of the parts of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.results.map_parts import FOLDER, PLAIN_OF_OUTLINES, MapPart, outlines_from

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

BUDGET = 200_000_000
"""Bytes of all maps of a results file, but where every gene is asked."""
ABOUT, OUTLINES = "stbench", "outlines"
WORTH_IT = 250_000
"""Values of a matrix from which on it is compressed."""


def write_map(path: Path, part: MapPart) -> None:
    """Write a part as h5ad, in a way that every HDF5 library reads; what is small is quicker as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how: dict[str, Any] = {"compression": "gzip", "compression_opts": 1} if part.truth.size > WORTH_IT else {}
    with quiet_anndata():
        to_anndata(part).write_h5ad(path, **how)


def read_map(path: Path) -> MapPart:
    """Return the part that a file was made of."""
    return from_anndata(read_h5ad(path))


def read_h5ad(path: Path) -> AnnData:
    """Read a map as scanpy does."""
    import anndata

    with quiet_anndata():
        return anndata.read_h5ad(path)


def to_anndata(part: MapPart) -> AnnData:
    """Return a part as scanpy and squidpy take it; keys are safe names, true ones stand in ``uns``."""
    import pandas as pd
    from anndata import AnnData

    layers = _keyed(part.layers, taken=("truth",))
    labels = _keyed(part.labels, taken=("libsize",))
    columns: dict[str, Any] = {"libsize": part.libsize}
    columns |= {key: pd.Categorical(_or_missing(part.labels[name])) for key, name in labels.items()}
    obs = pd.DataFrame(columns, index=pd.Index(part.units.astype(object)))
    var = pd.DataFrame({"order": part.order}, index=pd.Index(part.genes.astype(object)))
    about = {
        **part.about,
        "layers": np.array(["truth", *layers], dtype=object),
        "models": np.array(["truth", *layers.values()], dtype=object),
        "why_kept": part.why.astype(object),
    }
    if list(labels) != list(labels.values()):  # every entry costs as much as a column
        about["labels"] = np.array([*labels], dtype=object)
        about["names_of_labels"] = np.array([*labels.values()], dtype=object)
    if part.outlines is not None:
        about[OUTLINES] = {name: getattr(part.outlines, name) for name in PLAIN_OF_OUTLINES} | {
            "corner_um": np.array(part.outlines.corner_um),
            "labels": part.outlines.labels,
            "owners": part.outlines.owners.astype(object),
        }
    places: dict[str, Any] = {"spatial": part.xy_um}
    return AnnData(
        X=part.truth,
        obs=obs,
        var=var,
        layers={"truth": part.truth, **{key: part.layers[name] for key, name in layers.items()}},
        obsm=places,
        uns={ABOUT: about, **_spatial(part)},
    )


def from_anndata(found: AnnData) -> MapPart:
    """Return the part that a file was made of."""
    about = dict(found.uns[ABOUT])
    outlines = about.pop(OUTLINES, None)
    about = {key: _plain(value) for key, value in about.items()}
    layers = dict(zip(about.pop("layers"), about.pop("models"), strict=True))
    plain = [name for name in found.obs if name != "libsize"]
    labels = dict(zip(about.pop("labels", plain), about.pop("names_of_labels", plain), strict=True))
    why = about.pop("why_kept")
    return MapPart(
        about=about,
        genes=found.var_names.to_numpy().astype(np.str_),
        why=np.array(why, dtype=np.str_),
        order=found.var["order"].to_numpy(),
        units=found.obs_names.to_numpy().astype(np.str_),
        xy_um=np.asarray(found.obsm["spatial"]),
        labels={
            name: found.obs[key].astype(object).fillna("").to_numpy().astype(np.str_)
            for key, name in labels.items()
        },
        libsize=found.obs["libsize"].to_numpy(),
        truth=np.array(found.layers["truth"]),
        layers={name: np.asarray(found.layers[key]) for key, name in layers.items() if key != "truth"},
        **_image_of(found),
        outlines=None if outlines is None else outlines_from(outlines),
    )


def _spatial(part: MapPart) -> dict[str, Any]:
    """Return what scanpy and squidpy draw below units, whose places times the scale are pixels."""
    from scipy.spatial import KDTree

    if not part.image.size:
        return {}
    places = part.xy_um[np.isfinite(part.xy_um).all(axis=1)]
    spacing = float(np.median(KDTree(places).query(places, k=2)[0][:, 1]))
    factors = {"tissue_hires_scalef": part.image_scale, "spot_diameter_fullres": spacing / 2}
    (library,) = _keyed([str(part.about["slide"])], taken=())
    return {"spatial": {library: {"images": {"hires": part.image}, "scalefactors": factors}}}


def _image_of(found: AnnData) -> dict[str, Any]:
    for library in found.uns.get("spatial", {}).values():
        scale = float(library["scalefactors"]["tissue_hires_scalef"])
        return {"image": np.asarray(library["images"]["hires"]), "image_scale": scale}
    return {}


def file_name(number: int, part: MapPart) -> str:
    """Return the name of a file in the folder: safe on every system, whatever tasks and slides are called."""
    task, _, slide = (re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:60] for text in part.key)
    return f"{FOLDER}/{number:03d}-{task}-{slide}.h5ad"


def _keyed(names: Iterable[str], taken: tuple[str, ...]) -> dict[str, str]:
    """Return the names by keys that HDF5 takes, no two alike."""
    found: dict[str, str] = {}
    for name in names:
        key = name.replace("/", "_") or "_"
        while key in found or key in taken:
            key += "_"
        found[key] = name
    return found


def _or_missing(labels: NDArray[np.str_]) -> NDArray[Any]:
    values = labels.astype(object)
    values[labels == ""] = None
    return values


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
