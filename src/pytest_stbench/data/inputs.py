"""What models and baselines are given: built field by field, never a view of the truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from pytest_stbench.data.input_image import InputImage
    from pytest_stbench.data.later import Later, Made
    from pytest_stbench.data.reference import Reference
    from pytest_stbench.data.region import Region
    from pytest_stbench.data.slide import SlideMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """What a model may know of the task it is fitted for.

    ``genes`` are the columns it will be asked for, ``classes`` the labels or cell types;
    ``normalise`` and ``target_sum`` say the scale of ``TrainSlide.target``
    (``log1p(counts / library size * target_sum)`` for ``log1p_cp10k`` and ``log1p_median``).
    ``reference`` gives the cells of the atlas that the task file names. ``device`` and ``n_jobs`` say where
    to compute; predictions are taken to be the same everywhere.
    """

    name: str
    family: str
    genes: tuple[str, ...]
    observed_genes: tuple[str, ...]
    normalise: str
    target_sum: float | None
    seed: int
    resolution: str | None
    classes: tuple[str, ...] = ()
    reference: Reference | None = None
    gene_ids: Later | Made | None = field(default=None, compare=False)
    device: str = "cpu"
    n_jobs: int = 1

    @property
    def ensembl_ids(self) -> Mapping[str, str]:
        """The Ensembl id of each gene of which the data say one, by symbol; read when it is asked."""
        found: Mapping[str, str] = {} if self.gene_ids is None else self.gene_ids()
        return found

    @property
    def former_symbols(self) -> Mapping[str, tuple[str, ...]]:
        """Retired symbols of the genes asked and observed, where the table of the package knows some."""
        from pytest_stbench.resources import former_symbols

        known = former_symbols()
        return {gene: known[gene] for gene in (*self.observed_genes, *self.genes) if gene in known}


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelSlide:
    """One slide as a model sees it.

    ``units`` holds the names of the units, ``obsm["spatial"]`` in um and, where the family hands
    them out, the counts of the observed genes in ``X`` (``var["measured"]`` is false for those
    that the slide's panel lacks) and a declared ``obsm["embedding"]``.
    """

    units: AnnData
    meta: SlideMeta
    image: InputImage | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what a slide has: called for what is not there, and for what could not be made."""
            if name.startswith("__") or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # raises as it did
            raise AttributeError(_not_there(type(self), name))

    @property
    def n_units(self) -> int:
        """Number of units, the rows every prediction must have."""
        return int(self.units.n_obs)

    def patches(
        self, size: int = 224, mpp: float = 0.5, units: NDArray[np.intp] | slice | None = None
    ) -> NDArray[np.uint8]:
        """Return one RGB patch per unit, (n, size, size, 3) uint8, centred on the unit.

        `mpp` is um per pixel; `units` (indices or a slice) goes through a slide in parts. What
        lies outside the image is white. Raises ``ModelError`` when the slide has no image.
        """
        return self._image().patches(size=size, mpp=mpp, units=units)

    def batches(
        self, size: int = 224, mpp: float = 0.5, batch: int = 256
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
        """Yield indices of units and their patches, as :meth:`patches`, `batch` at a time; every unit once.

        Units come in the order in which the file is read once, and the next batch is read while the model
        works on this one.
        """
        return self._image().batches(size=size, mpp=mpp, batch=batch)

    def _image(self) -> InputImage:
        from pytest_stbench.errors import ModelError

        if self.image is None:
            message = f"slide {self.meta.slide_id} has no image: patches need one (`image:` in the task file)"
            raise ModelError(message)
        return self.image


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainSlide(ModelSlide):
    """A training slide: the input, and the truth a model may learn from.

    ``target`` is (n, g) float32, columns ``TaskInfo.genes``, on the task's scale; genes the slide
    did not measure are nan. ``make_counts`` gives what ``counts`` holds. In families of labels
    ``labels`` (n,) names the class of each unit, None where it has none; in those of proportions
    ``proportions`` is (n, k), nan where unknown. Both follow ``TaskInfo.classes``. In the family of
    segmentation ``tiles()`` goes through the slide.
    """

    target: NDArray[np.float32]
    make_counts: Callable[[], AnnData]
    labels: NDArray[np.object_] | None = None
    proportions: NDArray[np.float64] | None = None
    make_tiles: Callable[[], Iterable[tuple[Region, NDArray[np.int32]]]] | None = None

    def tiles(self) -> Iterator[tuple[Region, NDArray[np.int32]]]:
        """Yield each tile as it will be asked for, and its true mask; made one by one.

        Nothing comes in other families than segmentation.
        """
        return iter(()) if self.make_tiles is None else iter(self.make_tiles())

    @cached_property
    def counts(self) -> AnnData:
        """Raw counts of all genes the slide measured, made when first asked for."""
        return self.make_counts()


def _not_there(kind: type[ModelSlide], name: str) -> str:
    """Return the sentence on an attribute that a slide does not have."""
    there = _offered(kind)
    alone = "; training slides alone have it" if name in _offered(TrainSlide) else nearest(name, there)
    return (
        f"a {kind.__name__} has no attribute {name!r}{alone}; it has {', '.join(there)}. `units` is an "
        'AnnData with obs_names, obsm["spatial"] in um and, where the family hands them out, counts in X'
    )


def _offered(kind: type[ModelSlide]) -> list[str]:
    names = {field.name for field in fields(kind)} | {name for name in dir(kind) if name[0] != "_"}
    return sorted(name for name in names if not name.startswith("make_"))


@dataclass(frozen=True, kw_only=True, eq=False)
class TruthSlide:
    """A slide as a diagnostic baseline sees it: the input with the truth beside it.

    ``values`` is (n, g) float64 on the task's scale (nan where the slide did not measure the
    gene), ``libsize`` the total count of each unit over all measured genes.
    """

    input: ModelSlide
    values: NDArray[np.float64]
    libsize: NDArray[np.float64]


def digest(model_slide: ModelSlide) -> str:
    """Return a hash of all fields of a model's input, to tell whether a model changed it.

    Counts, names, coordinates, embedding, target and anything that was added (columns, layers,
    ``uns`` ...) are hashed by content; of the image the units' places, since its pixels are
    read-only.
    """
    state = hashlib.sha256()
    _add(state, model_slide)
    return state.hexdigest()


def _add(state: hashlib._Hash, value: Any) -> None:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    from pytest_stbench.data.input_image import InputImage
    from pytest_stbench.data.later import Later, Made

    if isinstance(value, Later | Made):
        return  # what is made anew at every call cannot be changed
    state.update(type(value).__name__.encode())
    if isinstance(value, AnnData):
        _add_anndata(state, value)
    elif isinstance(value, np.ndarray):
        _add_array(state, value)
    elif isinstance(value, pd.DataFrame):
        _add_array(state, value.index.to_numpy())
        for name, column in value.items():
            state.update(repr(name).encode())
            _add_array(state, column.to_numpy())
    elif sparse.issparse(value):
        compressed = value.tocsr()
        state.update(repr(compressed.shape).encode())
        for part in (compressed.data, compressed.indices, compressed.indptr):
            _add_array(state, part)
    elif isinstance(value, dict):
        _add_mapping(state, value)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            state.update(field.name.encode())
            _add(state, getattr(value, field.name))
    elif isinstance(value, InputImage):
        _add_array(state, value.xy_px)
        state.update(repr((value.mpp, value.shape)).encode())
    else:
        state.update(repr(value).encode())


def _add_anndata(state: hashlib._Hash, value: AnnData) -> None:
    _add(state, value.X)
    _add(state, value.obs)
    _add(state, value.var)
    for part in ("obsm", "varm", "layers", "obsp", "varp", "uns"):
        state.update(part.encode())
        _add_mapping(state, getattr(value, part))


def _add_mapping(state: hashlib._Hash, value: Mapping[Any, Any]) -> None:
    for key in sorted(value, key=repr):
        state.update(repr(key).encode())
        _add(state, value[key])


def _add_array(state: hashlib._Hash, value: np.ndarray[Any, Any]) -> None:
    import numpy as np

    state.update(f"{value.dtype}{value.shape}".encode())
    if value.dtype.hasobject:
        state.update(_text(value.ravel().tolist()).encode("utf-8", "surrogatepass"))
    else:
        state.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))


def _text(values: list[Any]) -> str:
    try:
        return "\0".join(values)  # six times as fast for names, which are most of it
    except TypeError:  # numbers beside text, and tables such as scanpy leaves in `uns`
        return repr(values)
