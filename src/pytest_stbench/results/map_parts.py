"""Parts of the maps that a run keeps: one slide as one process saw it, put down and joined."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.region import Outlines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "maps"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPart:
    """One slide as one process saw it, or as a file has it.

    ``about`` has plain values (task, dataset, slide ...); ``order`` is the place of each gene among those
    asked, ``why`` says why it is kept. ``image`` (H, W, 3) is the tissue, ``image_scale`` its pixels per um
    of ``xy_um``; empty where there is none. ``outlines`` is a window on the segmentation. Without genes
    ``left_out`` says why there is no map.
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
    outlines: Outlines | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Task, data set and slide."""
        return self.about["task"], self.about["dataset"], self.about["slide"]


PLAIN = ("genes", "why", "order", "units", "xy_um", "libsize", "truth", "image")


PLAIN_OF_OUTLINES, ARRAYS_OF_OUTLINES = ("name", "kind", "corner_um", "um_per_px"), ("labels", "owners")


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
    if part.outlines is not None:
        head["outlines"] = {name: getattr(part.outlines, name) for name in PLAIN_OF_OUTLINES}
        arrays |= {name: getattr(part.outlines, name) for name in ARRAYS_OF_OUTLINES}
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
            outlines=outlines_from({**head["outlines"], **found}) if "outlines" in head else None,
            labels={name: found[f"label {place}"] for place, name in enumerate(head["labels"])},
            layers={name: found[f"layer {place}"] for place, name in enumerate(head["layers"])},
            **{name: found[name] for name in PLAIN},
        )


def outlines_from(stored: Mapping[str, Any]) -> Outlines:
    """Return outlines as a map holds them."""
    x, y = stored["corner_um"]
    return Outlines(
        name=str(stored["name"]),
        kind=str(stored["kind"]),
        corner_um=(float(x), float(y)),
        um_per_px=float(stored["um_per_px"]),
        labels=np.asarray(stored["labels"]),
        owners=np.asarray(stored["owners"]).astype(np.str_),
    )


def joined(parts: Iterable[MapPart]) -> MapPart:
    """Return one part of those of several models; a layer is nan where its model's part lacks a gene."""
    first, *others = parts
    for other in others:
        first = _joined(first, other)
    return first


def _joined(one: MapPart, other: MapPart) -> MapPart:
    left_out = tuple(dict.fromkeys((*one.left_out, *other.left_out)))
    if not len(one.genes) or not len(other.genes):
        return replace(other if len(other.genes) else one, left_out=left_out)
    if not np.array_equal(one.units, other.units):
        gone, stays = (", ".join(part.layers) for part in (one, other))
        said = f"the map of {gone} ({len(one.units)} units): that of {stays} has {len(other.units)} others"
        return replace(other, left_out=(*left_out, said))
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
        outlines=one.outlines or other.outlines,
        genes=np.array([places[place] for place in order.tolist()]),
        why=np.array(["; ".join(found) for found in reasons]),
        order=order,
        truth=wide(one.truth, other.truth),
        layers={
            name: wide(one.layers.get(name), other.layers.get(name))
            for name in dict.fromkeys((*one.layers, *other.layers))
        },
        left_out=left_out,
    )


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
