"""Maps of what is kept: truth and predictions of a slide as h5ad, made of the parts of a run."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.sealed import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

BUDGET = 200_000_000
"""Bytes of all maps of a results file, but where every gene is asked."""
ABOUT = "stbench"
FOLDER = "maps"
WORTH_IT = 250_000
"""Values of a matrix from which on it is compressed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPart:
    """One slide as one process saw it, or as a file has it.

    ``about`` has plain values (task, dataset, slide ...); ``order`` is the place of each gene among those
    asked, ``why`` says why it is kept. ``image`` (H, W, 3) is the tissue, ``image_scale`` its pixels per um
    of ``xy_um``; empty where there is none. Without genes ``left_out`` says why there is no map.
    """

    about: Mapping[str, Any]
    genes: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    why: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    order: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    units: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    xy_um: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    labels: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    libsize: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    truth: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    layers: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    image: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 3), np.uint8))
    image_scale: float = 0.0

    @property
    def key(self) -> tuple[str, str, str]:
        """Task, data set and slide."""
        return self.about["task"], self.about["dataset"], self.about["slide"]


PLAIN = ("genes", "why", "order", "units", "xy_um", "libsize", "truth", "image")


def write_part(folder: Path, part: MapPart, label: str) -> None:
    """Put down the part of one model; it is there whole or not at all, and once."""
    name = hashlib.sha256(json.dumps([*part.key, label]).encode()).hexdigest()[:32]
    path = folder / FOLDER / f"{name}.npz"
    if path.exists():
        return
    head = {
        "about": dict(part.about), "labels": list(part.labels), "layers": list(part.layers),
        "left_out": part.left_out, "label": label, "image_scale": part.image_scale,
    }  # fmt: skip
    arrays = {name: getattr(part, name) for name in PLAIN}
    arrays |= {f"label {place}": values for place, values in enumerate(part.labels.values())}
    arrays |= {f"layer {place}": values for place, values in enumerate(part.layers.values())}
    text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    write_atomically(path, lambda file: np.savez(file, head=text, **arrays), durable=False)


def read_part(path: Path) -> MapPart:
    """Return a part."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        head = json.loads(found["head"].tobytes())
        return MapPart(
            about=head["about"],
            left_out=tuple(head["left_out"]),
            image_scale=head["image_scale"],
            labels={name: found[f"label {place}"] for place, name in enumerate(head["labels"])},
            layers={name: found[f"layer {place}"] for place, name in enumerate(head["layers"])},
            **{name: found[name] for name in PLAIN},
        )


def joined(parts: Iterable[MapPart]) -> MapPart:
    """Return one part of those of several models; a layer is nan where its model's part lacks a gene."""
    first, *others = parts
    for other in others:
        first = _joined(first, other)
    return first


def _joined(one: MapPart, other: MapPart) -> MapPart:
    if not len(one.genes) or not len(other.genes) or not np.array_equal(one.units, other.units):
        return other if len(other.genes) else one
    places = {
        **dict(zip(one.order.tolist(), one.genes.tolist(), strict=True)),
        **dict(zip(other.order.tolist(), other.genes.tolist(), strict=True)),
    }
    order = np.array(sorted(places), dtype=np.intp)
    here, there = np.searchsorted(order, one.order), np.searchsorted(order, other.order)

    def wide(mine: NDArray[np.float32] | None, theirs: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Return the columns of both, those of `other` where both have one; nan where neither has."""
        values = np.full((len(one.units), len(order)), np.nan, np.float32)
        for columns, known in ((here, mine), (there, theirs)):
            if known is not None:
                values[:, columns] = known
        return values

    reasons: list[dict[str, None]] = [{} for _ in order]
    for columns, why in ((here, one.why), (there, other.why)):
        for column, text in zip(columns.tolist(), why.tolist(), strict=True):
            reasons[column].update(dict.fromkeys(text.split("; ")))
    seen = one if one.image.size else other
    return replace(
        one,
        image=seen.image,
        image_scale=seen.image_scale,
        genes=np.array([places[place] for place in order.tolist()]),
        why=np.array(["; ".join(found) for found in reasons]),
        order=order,
        truth=wide(one.truth, other.truth),
        layers={
            name: wide(one.layers.get(name), other.layers.get(name))
            for name in dict.fromkeys((*one.layers, *other.layers))
        },
        left_out=tuple(dict.fromkeys((*one.left_out, *other.left_out))),
    )


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
    about = {key: _plain(value) for key, value in found.uns[ABOUT].items()}
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


def parts_by_slide(folder: Path) -> Iterator[tuple[tuple[str, str, str], list[MapPart]]]:
    """Yield task, data set and slide of every map, and the parts of its models in the order of their names.

    One slide is in memory at a time.
    """
    known = []
    for path in (folder / FOLDER).glob("*.npz"):
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            head = json.loads(found["head"].tobytes())
        about = head["about"]
        known.append(((about["task"], about["dataset"], about["slide"]), head["label"], path))
    for key, paths in groupby(sorted(known), key=lambda one: one[0]):
        yield key, [read_part(path) for _, _, path in paths]


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
