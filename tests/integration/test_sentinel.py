"""No truth reaches a model: a sentinel in every truth-derived field is not found in its input."""

from __future__ import annotations

import functools
import hashlib
import pickle
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import PIL.PngImagePlugin
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.build import build_input
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import TaskInfo
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.cell_types.ask import CellTypesQuestion
from pytest_stbench.families.cell_types.declare import CellTypes
from pytest_stbench.families.embedding.ask import EmbeddingQuestion
from pytest_stbench.families.embedding.declare import Embedding
from pytest_stbench.families.expression.ask import ExpressionQuestion
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.families.niche_detection.ask import NicheDetectionQuestion
from pytest_stbench.families.niche_detection.declare import NicheDetection
from pytest_stbench.families.niches.ask import NichesQuestion
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.proportions.ask import ProportionsQuestion
from pytest_stbench.families.proportions.declare import Proportions
from pytest_stbench.families.question import FamilySettings

from .walker import everything

UNITS = 8
OBSERVED = 3
HIDDEN = 4
WORD = "SENTINEL"
COUNTS = 31_000_001 + np.arange(UNITS * HIDDEN).reshape(UNITS, HIDDEN)
LIBSIZE = 1_234_567_891.5 + np.arange(UNITS)
DETECTED = 987_654_001 + np.arange(UNITS)
SHARES = 0.123456789 + 1e-6 * np.arange(UNITS)
CELLS = 7_654_321.25 + np.arange(UNITS)
NUMBERS = np.concatenate([COUNTS.ravel(), LIBSIZE, DETECTED, SHARES, CELLS]).astype(np.float64)


@pytest.fixture
def slide(tmp_path):
    """A slide whose truth holds numbers and words that stand nowhere else."""
    rng = np.random.default_rng(0)
    notes = PIL.PngImagePlugin.PngInfo()
    notes.add_text("Description", f"{WORD}_IN_THE_IMAGE_FILE")
    path = tmp_path / f"{WORD}_IMAGE_NAME.png"
    pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(path, pnginfo=notes)
    seen = rng.integers(0, 9, (UNITS, OBSERVED))
    return Slide(
        meta=SlideMeta(slide_id="A1", patient_id="A", technology="Visium", resolution="spot"),
        unit_names=np.array([f"u{n}" for n in range(UNITS)]),
        genes=np.array([f"SEEN{n}" for n in range(OBSERVED)] + [f"{WORD}_GENE{n}" for n in range(HIDDEN)]),
        measured=np.ones(OBSERVED + HIDDEN, bool),
        counts=csr_matrix(np.concatenate([seen, COUNTS], axis=1)),
        libsize=LIBSIZE.copy(),
        n_detected=DETECTED.copy(),
        xy_um=rng.uniform(0, 64, (UNITS, 2)),
        xy_px=rng.uniform(0, 64, (UNITS, 2)),
        image=Image(path, mpp=1.0),
        labels={
            "niche": np.array([f"{WORD}_NICHE{n}" for n in range(UNITS)], dtype=object),
            "cell_type": np.array([f"{WORD}_TYPE{n}" for n in range(UNITS)], dtype=object),
        },
        measures={f"type:{WORD}_KIND": SHARES.copy(), "cells": CELLS.copy()},
    )


def settings(block, **changes):
    return FamilySettings(own=block(input="both", **changes))


QUESTIONS = {
    "expression": ExpressionQuestion,
    "imputation": ImputationQuestion,
    "niches": lambda: NichesQuestion(settings(Niches)),
    "clusters": lambda: NichesQuestion(settings(Niches, mode="unsupervised")),
    "niche_detection": lambda: NicheDetectionQuestion(settings(NicheDetection, positive=("x",))),
    "cell_types": lambda: CellTypesQuestion(settings(CellTypes)),
    "proportions": lambda: ProportionsQuestion(settings(Proportions)),
    "embedding": lambda: EmbeddingQuestion(settings(Embedding)),
}


@pytest.fixture(params=QUESTIONS)
def given(request, slide):
    """What a model of the family is given, looked at as a model would."""
    question = QUESTIONS[request.param]()
    observed = np.empty(0, np.intp) if request.param == "expression" else np.arange(OBSERVED)
    info = TaskInfo(
        name="t", family="f", genes=(), observed_genes=(), normalise="log1p_cp10k", target_sum=1e4, seed=0,
        resolution="spot",
    )  # fmt: skip
    fold = FoldData(
        task=info,
        question=question,
        fitted=None,
        observed=observed,
        train=(slide,),
        test=(slide,),
        counted={},
    )
    made = fold.input(slide)
    assert made.n_units == UNITS
    assert made.patches(size=8, mpp=1.0).shape == (UNITS, 8, 8, 3)
    assert made.image.array.shape == (64, 64, 3)
    return made


def told(found):
    """Return whether one object itself holds a sentinel."""
    if isinstance(found, str | Path):
        return WORD in str(found)
    if isinstance(found, bytes | bytearray | pa.Buffer | pa.DataType | np.void):
        text = repr(found).encode() if isinstance(found, pa.DataType) else bytes(found)
        return any(pattern in text for pattern in patterns())
    if isinstance(found, np.ndarray) and found.dtype.kind in "iuf":
        return bool(np.isin(found.astype(np.float64), NUMBERS).any())
    if isinstance(found, np.ndarray) and found.dtype.kind in "US":
        return any(WORD in str(value) for value in found.ravel())
    if isinstance(found, int | float | np.number) and not isinstance(found, bool):
        return float(found) in NUMBERS
    return False


@functools.cache
def patterns():
    """Return the sentinels as the bytes that they are in memory."""
    found = {WORD.encode(), WORD.encode("utf-32-le")}
    for values in (COUNTS, LIBSIZE, DETECTED, SHARES, CELLS):
        whole = () if values.dtype.kind == "f" else (np.int64, np.int32)
        for kind in (*whole, np.float64, np.float32):
            found.update(value.tobytes() for value in values.astype(kind).ravel())
    return found


def leaks(root):
    return [found for found in everything(root) if told(found)]


def in_pickle(root):
    """Return the sentinels whose bytes stand in the pickle of `root`."""
    text = pickle.dumps(root)
    return [pattern for pattern in patterns() if pattern in text]


def test_input_of_a_model_holds_no_truth(given):
    assert not leaks(given)
    assert not in_pickle(given)


def test_counts_are_handed_out_by_name_and_nothing_else(given):
    names = list(given.units.var_names)
    assert names == [f"SEEN{n}" for n in range(given.units.n_vars)]
    assert given.units.n_vars in (0, OBSERVED)
    assert list(given.units.obsm) == ["spatial"]
    assert not given.units.uns
    assert not given.units.layers
    assert list(given.units.obs.columns) == []
    assert set(given.units.var.columns) <= {"measured"}, "which observed genes the panel has"
    assert given.units.raw is None


def test_input_survives_pickling(given):
    twin = pickle.loads(pickle.dumps(given))
    assert not leaks(twin)
    assert np.array_equal(twin.patches(size=8, mpp=1.0), given.patches(size=8, mpp=1.0))


def test_changes_of_an_input_do_not_reach_the_slide(given, slide):
    before = slide.xy_um.copy()
    given.units.obsm["spatial"][:] = 0
    if given.units.n_vars:
        given.units.X.data[:] = 0
    assert np.array_equal(slide.xy_um, before)
    assert slide.counts.toarray()[:, OBSERVED:].tolist() == COUNTS.tolist()
    assert slide.counts[:, :OBSERVED].sum() > 0


def in_closure(values):
    def look():
        return values

    return look


class Slotted:
    __slots__ = ("values",)

    def __init__(self, values):
        self.values = values

    def look(self):
        return self.values


PLANTS = {
    "measures": lambda made, slide: made.units.obs.__setitem__("b", slide.measures[f"type:{WORD}_KIND"]),
    "cells": lambda made, slide: made.units.obsm.__setitem__("c", slide.measures["cells"][:, None]),
    "obs": lambda made, slide: made.units.obs.__setitem__("n", slide.libsize),
    "label": lambda made, slide: made.units.obs.__setitem__("niche", slide.labels["niche"]),
    "uns": lambda made, slide: made.units.uns.__setitem__("deep", {"list": [{"n": slide.n_detected}]}),
    "obsm": lambda made, slide: made.units.obsm.__setitem__("x", slide.counts.toarray()),
    "obsp": lambda made, slide: made.units.obsp.__setitem__("x", csr_matrix(np.diag(slide.libsize))),
    "scalar": lambda made, slide: made.units.uns.__setitem__("first", float(slide.libsize[0])),
    "attribute": lambda made, slide: object.__setattr__(made, "slide", slide),
    "counts": lambda made, slide: object.__setattr__(made, "counts", slide.counts),
    "genes": lambda made, slide: object.__setattr__(made, "names", tuple(slide.genes.tolist())),
    "view": lambda made, slide: made.units.uns.__setitem__("view", slide.libsize[:0]),
    "closure": lambda made, slide: object.__setattr__(made, "look", in_closure(slide.libsize)),
    "method": lambda made, slide: object.__setattr__(made, "look", Slotted(slide.libsize).look),
    "slots": lambda made, slide: object.__setattr__(made, "slotted", Slotted(slide.n_detected)),
    "partial": lambda made, slide: object.__setattr__(made, "look", functools.partial(max, slide.libsize)),
    "weak": lambda made, slide: object.__setattr__(made, "weak", weakref.ref(slide)),
    "path": lambda made, slide: object.__setattr__(made, "path", slide.image.path),
    "image": lambda made, slide: vars(made.image).__setitem__("source", slide.image),
    "file": lambda made, slide: vars(made.image).__setitem__("content", slide.image.path.read_bytes()),
}


TEXT = {
    "object": lambda labels: np.array(labels, dtype=object),
    "str": lambda labels: pd.Series(labels, dtype="str").array,
    "arrow": lambda labels: pd.Series(labels, dtype="string[pyarrow]").array,
    "python": lambda labels: pd.Series(labels, dtype="string[python]").array,
    "arrow dtype": lambda labels: pd.Series(labels, dtype=pd.ArrowDtype(pa.string())).array,
    "dictionary": lambda labels: pd.Series(pa.array(labels).dictionary_encode().to_pandas()).array,
    "category": lambda labels: pd.Categorical(labels),
    "other rows": lambda labels: pd.Series(["seen"] * UNITS + labels, dtype="string[pyarrow]").array[:UNITS],
    "other category": lambda labels: pd.Categorical(["seen"] * UNITS, categories=["seen", *labels]),
    "fixed width": lambda labels: np.array(labels, dtype=np.str_),
    "bytes": lambda labels: np.array(labels, dtype=np.bytes_),
}
"""Text as the libraries keep it in memory."""
FIELDS = {
    "obs": lambda units, text: units.obs.__setitem__("niche", text),
    "obs_names": lambda units, text: setattr(units, "obs_names", pd.Index(text)),
    "obs columns": lambda units, text: units.obs.__setitem__(str(text[0]), 1),
    "obs attrs": lambda units, text: units.obs.attrs.__setitem__("niche", text),
    "obs index name": lambda units, text: units.obs.index.set_names(str(text[0]), inplace=True),
    "var": lambda units, text: units.var.__setitem__("niche", text[0] if len(units.var) else text[:0]),
    "obsm": lambda units, text: units.obsm.__setitem__(
        "niche", pd.DataFrame({"niche": text}, index=units.obs_names)
    ),
    "uns": lambda units, text: units.uns.__setitem__("deep", {"list": [{"niche": text}]}),
    "uns series": lambda units, text: units.uns.__setitem__("niche", pd.Series(text)),
    "uns index": lambda units, text: units.uns.__setitem__("niche", pd.Index(text)),
    "uns key": lambda units, text: units.uns.__setitem__(str(text[0]), 1),
}
ONE_VALUE = ("obs columns", "obs index name", "var", "uns key")
"""Fields that take the first value alone, which is another one where other rows hold the labels."""
PLANTED = [
    (field, kind)
    for field in FIELDS
    for kind in TEXT
    if not (field in ONE_VALUE and kind.startswith("other"))
    and not (field == "obs_names" and kind in ("dictionary", "category", "other category"))
]


@pytest.mark.parametrize("plant", PLANTS)
def test_the_walker_finds_what_is_planted(given, slide, plant):
    PLANTS[plant](given, slide)
    assert leaks(given)


@pytest.fixture
def units(slide):
    """Units of a model as the product builds them."""
    return build_input(slide, observed=np.arange(OBSERVED), with_image=False, with_embedding=False).units


@pytest.mark.parametrize(("field", "kind"), PLANTED)
def test_text_is_found_in_every_field_and_memory(slide, units, field, kind):
    assert not leaks(units)
    FIELDS[field](units, TEXT[kind](slide.labels["niche"].tolist()))
    assert leaks(units)


ARROW = {
    "text": lambda: pa.array([f"{WORD}_A"]),
    "chunks": lambda: pa.chunked_array([["seen"], [f"{WORD}_A"]]),
    "dictionary": lambda: pa.array([f"{WORD}_A"]).dictionary_encode(),
    "list": lambda: pa.array([[f"{WORD}_A"]]),
    "struct": lambda: pa.array([{"a": f"{WORD}_A"}]),
    "table": lambda: pa.table({"a": [f"{WORD}_A"]}),
    "column of a table": lambda: pa.table({f"{WORD}_A": [1]}),
    "metadata of a table": lambda: pa.table({"a": [1]}).replace_schema_metadata({"a": f"{WORD}_A"}),
    "batch": lambda: pa.RecordBatch.from_pydict({"a": [f"{WORD}_A"]}),
    "scalar": lambda: pa.scalar(f"{WORD}_A"),
    "numbers": lambda: pa.array(LIBSIZE),
    "numbers of other rows": lambda: pa.array(np.concatenate([[1.0], LIBSIZE]))[:1],
    "whole numbers": lambda: pa.array(COUNTS.ravel()),
    "memory": lambda: memoryview(LIBSIZE),
}


@pytest.mark.parametrize("kind", ARROW)
def test_the_walker_looks_into_arrow(units, kind):
    units.uns["planted"] = {"deep": ARROW[kind]()}
    assert leaks(units)


def test_memory_that_the_walker_does_not_know_is_a_failure(units):
    hasher = hashlib.blake2b(WORD.encode())
    units.uns["planted"] = [hasher]
    with pytest.raises(pytest.fail.Exception, match=r"cannot look into _blake2\.blake2b"):
        leaks(units)


@pytest.mark.parametrize("plant", ["obs", "label", "uns", "obsm", "attribute", "path", "image"])
def test_the_pickle_shows_what_is_planted(given, slide, plant):
    PLANTS[plant](given, slide)
    assert in_pickle(given)
