"""A model without ``fit`` is asked once for each input, and answers with nothing that another cell left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from pytest_stbench.calls.answers import Answers
from pytest_stbench.calls.asked_once import AskedOnce
from pytest_stbench.calls.failures import AskedInVainError, CellFailed
from pytest_stbench.calls.model_calls import ModelCalls
from pytest_stbench.data.altered_image import AlteredImage
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.models.identity import identity
from pytest_stbench.store.store import Store

GENES = ["A", "B"]
ASKED: list[str] = []


class Embeds:
    name, revision = "embeds", "1"

    def embed(self, slide):
        ASKED.append(slide.meta.slide_id)
        return slide.units.obsm["spatial"] * 2.0


@pytest.fixture(autouse=True)
def _nobody_was_asked():
    ASKED.clear()


@pytest.fixture
def answers(tmp_path):
    return Answers(Store(tmp_path / "store"))


def slide_of(name="s1", n=4, image=None, **meta):
    units = AnnData(
        X=csr_matrix(np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)),
        obs=pd.DataFrame(index=[f"unit{i}" for i in range(n)]),
        var=pd.DataFrame(index=GENES),
    )
    units.obsm["spatial"] = np.arange(2.0 * n).reshape(n, 2)
    return ModelSlide(units=units, meta=SlideMeta(slide_id=name, **meta), image=image)


def picture(seed=0, places=4, mpp=1.0):
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    return Image.from_array(pixels, mpp=mpp).input(np.arange(2.0 * places).reshape(places, 2))


def asked_of(answers, model, label="m"):
    """Return what stands for a fresh model in one cell."""
    return AskedOnce(model, answers, ModelCalls("m cell"), label, identity(model))


def test_another_cell_and_another_process_get_the_same_answer(answers, tmp_path):
    first = asked_of(answers, Embeds()).embed(slide_of())
    again = asked_of(answers, Embeds()).embed(slide_of())
    elsewhere = asked_of(Answers(Store(tmp_path / "store")), Embeds()).embed(slide_of())
    assert ASKED == ["s1"]
    for found in (first, again, elsewhere):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, slide_of().units.obsm["spatial"] * 2)
    first[:] = 0  # nobody else sees what is done to it
    assert asked_of(answers, Embeds()).embed(slide_of()).any()


def changed_units(change):
    slide = slide_of()
    change(slide.units)
    return slide


OTHERS = {
    "name": lambda: slide_of("s2"),
    "patient": lambda: slide_of(patient_id="p"),
    "fewer units": lambda: slide_of(n=3),
    "places": lambda: changed_units(lambda units: units.obsm.update(spatial=units.obsm["spatial"] + 1)),
    "counts": lambda: changed_units(lambda units: setattr(units, "X", units.X * 2)),
    "names": lambda: changed_units(lambda units: setattr(units, "obs_names", list("abcd"))),
    "genes": lambda: changed_units(lambda units: setattr(units, "var_names", ["A", "C"])),
    "order": lambda: replace(slide_of(), units=slide_of().units[[1, 0, 2, 3]].copy()),
    "image": lambda: slide_of(image=picture()),
    "pixels": lambda: slide_of(image=picture(seed=1)),
    "places in the image": lambda: slide_of(image=picture().in_order(np.array([1, 0, 2, 3]))),
    "um per pixel": lambda: slide_of(image=picture(mpp=2.0)),
}


def test_what_differs_in_anything_that_is_given_is_another_question(answers):
    for make in (slide_of, *OTHERS.values()):
        for _ in range(2):
            asked_of(answers, Embeds()).embed(make())
    assert len(ASKED) == 1 + len(OTHERS)


def test_an_image_whose_pixels_cannot_be_compared_is_looked_at_again(answers):
    for _ in range(2):
        asked_of(answers, Embeds()).embed(slide_of(image=AlteredImage(picture(), pixels=lambda p: p)))
    assert len(ASKED) == 2


def test_pixels_are_known_by_content_not_by_object(answers):
    one, other = picture(), picture()
    assert one.fingerprint == other.fingerprint
    assert one.identity != other.identity


class Named(Embeds):
    name = "others"


class Newer(Embeds):
    revision = "2"


class Sized(Embeds):
    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize("other", [Named, Newer, lambda: Sized(1), lambda: Sized(2)])
def test_another_model_is_asked_itself(answers, other):
    asked_of(answers, Sized(3)).embed(slide_of())
    asked_of(answers, other()).embed(slide_of())
    assert len(ASKED) == 2


class Drawn(Embeds):
    """Its weights are others in every fold."""

    def __init__(self):
        self.weights = np.random.default_rng().normal(size=(2, 2))


class DrawnLater(Embeds):
    weights = None

    def embed(self, slide):
        if self.weights is None:
            self.weights = np.random.default_rng().normal(size=(2, 2))
        return super().embed(slide) @ self.weights


class Loads(Embeds):
    """As the docs say: weights at the first prediction."""

    weights = None

    def embed(self, slide):
        if self.weights is None:
            self.weights = np.eye(2)
        return super().embed(slide) @ self.weights


class Counts(Embeds):
    seen = 0

    def embed(self, slide):
        self.seen += 1
        return super().embed(slide) + self.seen


def test_weights_that_are_drawn_anew_are_another_model(answers):
    asked_of(answers, Drawn()).embed(slide_of())
    asked_of(answers, Drawn()).embed(slide_of())
    assert len(ASKED) == 2


def test_weights_that_are_loaded_at_the_first_prediction_are_fine(answers):
    one, other = asked_of(answers, Loads()), asked_of(answers, Loads())
    one.embed(slide_of("s1"))
    one.embed(slide_of("s2"))
    other.embed(slide_of("s1"))
    other.embed(slide_of("s3"))
    assert ASKED == ["s1", "s2", "s3"]


def test_an_embedding_of_two_draws_is_never_put_together(answers):
    one = asked_of(answers, DrawnLater())
    one.embed(slide_of("s1"))
    one.embed(slide_of("s2"))
    other = asked_of(answers, DrawnLater())
    other.embed(slide_of("s1"))
    with pytest.raises(AskedInVainError):
        other.embed(slide_of("s3"))
    third = asked_of(answers, DrawnLater())
    third.embed(slide_of("s4"))
    third.embed(slide_of("s1"))
    assert ASKED == ["s1", "s2", "s3", "s4", "s1"], "who has drawn already is asked itself"


class CountsLater(Embeds):
    """Begins to count with the first answer, as a cache does."""

    counted = None

    def embed(self, slide):
        self.counted = (self.counted or 0) + 1
        return super().embed(slide) * self.counted


def test_of_a_model_that_counts_nothing_is_kept_however_often_it_is_begun_anew(answers):
    for _ in range(3):
        begun = asked_of(answers, CountsLater())
        begun.embed(slide_of("s1"))
        with pytest.raises(AskedInVainError):
            begun.embed(slide_of("s2"))
    assert ASKED == ["s1", "s2"] * 3


class HoldsWhatHasNoDigest(Embeds):
    act = None

    def embed(self, slide):
        self.seen = {"n": getattr(self, "seen", {"n": 0})["n"] + 1, "act": lambda values: values}
        return super().embed(slide) * self.seen["n"]


class CountsInItsConfig(Embeds):
    def __init__(self):
        super().__init__()
        self.config = {"n": 0}

    def embed(self, slide):
        self.config["n"] += 1
        return super().embed(slide) * self.config["n"]


class CountsInItsClass(Embeds):
    n = 0

    def embed(self, slide):
        type(self).n += 1
        return super().embed(slide) * self.n


@pytest.mark.parametrize("kind", [HoldsWhatHasNoDigest, CountsInItsConfig, CountsInItsClass])
def test_a_change_is_found_wherever_it_lies(answers, kind):
    model = asked_of(answers, kind())

    def both():
        return [model.embed(slide_of(name)) for name in ("s1", "s2")]

    with pytest.raises(AskedInVainError):
        both()


def test_nameless_models_of_two_modules_of_one_name_are_two(answers):
    def made(sign):
        def embed(self, slide):
            return sign * Embeds.embed(self, slide)

        return type("Model", (Embeds,), {"embed": embed, "name": None, "__module__": "conftest"})

    found = []
    for kind in (made(1), made(-1)):
        asking = AskedOnce(kind(), answers, ModelCalls("m cell"), "m", None)
        found.append([asking.embed(slide_of(name)) for name in ("s1", "s2", "s1")])
    np.testing.assert_array_equal(found[0], -np.array(found[1]))
    assert ASKED == ["s1", "s2"] * 2


def test_a_model_that_changes_with_every_answer_is_found_at_the_second(answers):
    model = asked_of(answers, Counts())
    model.embed(slide_of("s1"))
    with pytest.raises(AskedInVainError):
        model.embed(slide_of("s2"))
    plain = AskedOnce(Counts(), None, ModelCalls("m cell"), "m", identity(Counts()))
    assert [plain.embed(slide_of("s1"))[0, 0] for _ in range(3)] == [1, 2, 3]


class Nameless:
    def embed(self, slide):
        ASKED.append(slide.meta.slide_id)
        return slide.units.obsm["spatial"]


class Lambda(Nameless):
    def __init__(self):
        self.scale = lambda x: x


def test_a_model_without_identity_leaves_nothing_on_disk(answers, tmp_path):
    asked_of(answers, Nameless()).embed(slide_of())
    asked_of(answers, Nameless()).embed(slide_of())
    assert ASKED == ["s1"]
    asked_of(Answers(Store(tmp_path / "store")), Nameless()).embed(slide_of())
    asked_of(answers, Nameless(), label="other").embed(slide_of())
    assert ASKED == ["s1", "s1", "s1"]
    assert not list(tmp_path.rglob("*.npz"))


def test_of_what_has_no_digest_nobody_knows_that_it_is_the_same(answers):
    asked_of(answers, Lambda()).embed(slide_of())
    asked_of(answers, Lambda()).embed(slide_of())
    assert len(ASKED) == 2


def test_memory_is_bounded(answers, monkeypatch):
    monkeypatch.setattr("pytest_stbench.calls.answers.MEMORY", 3 * 4 * 2 * 4)
    for name in ("s1", "s2", "s3", "s4", "s4", "s1"):
        asked_of(answers, Nameless()).embed(slide_of(name))
    assert ASKED == ["s1", "s2", "s3", "s4", "s1"]


class Other:
    """Answers in the ways that the contract allows."""

    name, revision = "other", "1"

    def __init__(self, answer=None):
        self.answer = answer

    def predict_labels(self, slide, classes):
        ASKED.append("labels")
        return self.answer

    def predict_expression(self, slide, genes):
        ASKED.append("genes")
        genes.reverse()  # its own copy
        values = np.full((slide.n_units, len(genes)), 1 / 3)
        return (values, "counts") if self.answer else values


SHARES = np.random.default_rng(0).dirichlet(np.ones(3), size=4)


@pytest.mark.parametrize(
    "answer",
    [SHARES, SHARES.astype(np.float32), pd.DataFrame(SHARES, index=[f"unit{i}" for i in range(4)])],
    ids=["float64", "float32", "frame"],
)
def test_shares_are_kept_to_the_last_digit(answers, answer):
    first = asked_of(answers, Other(SHARES)).predict_labels(slide_of(), ["a", "b", "c"])
    again = asked_of(answers, Other(SHARES)).predict_labels(slide_of(), ["a", "b", "c"])
    assert ASKED == ["labels"]
    assert first.dtype == again.dtype == np.float64
    np.testing.assert_array_equal(again, SHARES)
    asked_of(answers, Other(SHARES)).predict_labels(slide_of(), ["b", "a", "c"])
    assert len(ASKED) == 2, "other classes are another question"


def test_labels_are_kept_as_certainties(answers):
    for _ in range(2):
        found = asked_of(answers, Other(["a", "b", "b", "a"])).predict_labels(slide_of(), ["a", "b"])
    assert found.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    assert ASKED == ["labels"]


def test_expression_is_kept_by_its_genes_and_counts_are_left_to_the_fold(answers):
    for genes in (["A", "B"], ["A", "B"], ["B", "A"]):
        found = asked_of(answers, Other()).predict_expression(slide_of(), genes)
        assert found.dtype == np.float32
    assert ASKED == ["genes", "genes"]
    for _ in range(2):
        _, kind = asked_of(answers, Other(answer=1)).predict_expression(slide_of(), ["A", "B"])
        assert kind == "counts"
    assert len(ASKED) == 4


def test_what_breaks_the_contract_is_handed_on_and_not_kept(answers):
    for answer in (np.full((4, 3), np.nan), np.ones((3, 3)), ["a", "x", "a", "a"], None):
        ASKED.clear()
        for _ in range(2):
            raw = asked_of(answers, Other(answer)).predict_labels(slide_of(), ["a", "b", "c"])
            assert raw is answer or not isinstance(raw, np.ndarray) or raw.shape == answer.shape
        assert len(ASKED) == 2


class Changes(Embeds):
    def embed(self, slide):
        values = super().embed(slide)
        slide.units.obsm["spatial"] = slide.units.obsm["spatial"] + 1
        return values


def test_a_changed_input_is_told_with_every_answer(answers):
    one, other = asked_of(answers, Changes()), asked_of(answers, Changes())
    one.embed(slide_of())
    other.embed(slide_of())
    assert ASKED == ["s1"]
    assert one.changes_input
    assert other.changes_input
    assert not asked_of(answers, Embeds()).changes_input


class Raises(Embeds):
    def embed(self, slide):
        super().embed(slide)
        message = "no weights"
        raise OSError(message)


def test_a_failure_is_no_answer(answers):
    for _ in range(2):
        with pytest.raises(CellFailed, match=r"m cell raised OSError: no weights \(in predict\)"):
            asked_of(answers, Raises()).embed(slide_of())
    assert len(ASKED) == 2


def test_a_damaged_answer_is_asked_for_again(answers, tmp_path):
    asked_of(answers, Embeds()).embed(slide_of())
    (path,) = tmp_path.rglob("answers/*/*.npz")
    path.write_bytes(path.read_bytes()[:-40])
    given = slide_of()
    with pytest.warns(UserWarning, match="it is computed again"):
        asked_of(Answers(Store(tmp_path / "store")), Embeds()).embed(given)
    assert len(ASKED) == 2


def test_everything_else_of_a_model_is_its_own(answers):
    model = asked_of(answers, Sized(5))
    assert model.size == 5
    assert not hasattr(model, "fit")
    assert callable(model.embed)
    assert not hasattr(model, "predict_labels")
