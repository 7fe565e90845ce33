"""Results files that are made by hand, and a reader of pages."""

from __future__ import annotations

import html.parser
import re
from statistics import fmean, median

import numpy as np
import pytest

from pytest_stbench.results import (
    CheckRecord,
    DatasetRecord,
    FindingRecord,
    GateRecord,
    LockRecord,
    ModelRecord,
    Results,
    RunRecord,
    ScoreRecord,
    TaskRecord,
    VerdictRecord,
    save,
)
from pytest_stbench.results.merge import settled

EVIL = "<img src=x onerror=\"document.title='run'\"> ' & </script><!--"
LONG = "L" * 5000
PATIENTS = tuple(f"P{n}" for n in range(8))
VOID = {"meta", "link", "br", "img", "input"}


class Page(html.parser.HTMLParser):
    """Elements of a page with attributes, whole text and what they stand in."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.numbers, self.loose, self.scripts = [], [], [], [], {}
        self.text, self.ids, self.tags, self.held = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append((tag, attrs))
        if tag in ("p", "li", "td"):
            self.text.append(" ")
        if tag == "data":
            self.numbers.append([attrs["data-at"], float(attrs["value"]), ""])

    def handle_endtag(self, tag):
        own, attrs = self.open.pop()
        assert own == tag
        if tag != "script":
            return
        text, self.held = self.held, ""
        if attrs.get("class") != "held":
            self.scripts[attrs.get("type", "")] = text
            return
        inner = Page(re.sub(r"<\\(\\*/?script)", r"<\1", text))  # as the page makes it
        for name in ("links", "numbers", "loose", "text", "ids", "tags"):
            getattr(self, name).extend(getattr(inner, name))
        self.scripts |= inner.scripts

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "script" in tags:
            self.held += data
        elif "style" not in tags:
            self.text.append(data)
            if "data" in tags:
                self.numbers[-1][2] += data
            elif "td" in tags and re.search(r"\d\.\d", data):
                self.loose.append(data)

    @property
    def said(self):
        """The text of the page with single spaces."""
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture(scope="session")
def page():
    return Page


def score(model, level, *, role="model", metric="spearman_gene", spread=0.03, seed=0, **fields):
    rng = np.random.default_rng(seed)
    values = {name: float(level + spread * rng.standard_normal()) for name in PATIENTS}
    own = list(values.values())
    mean = fmean(own)
    baseline, ceiling = fields.pop("baseline", 0.3), fields.pop("ceiling", 0.8)
    record = {
        "task": "cohort-imputation", "task_version": 2, "family": "imputation", "dataset": "d",
        "split": "lopo", "role": role, "model": model, "metric": metric, "value": mean,
        "per_patient": values, "n_patients": 8,
        "ci_low": mean - 0.02, "ci_high": mean + 0.02, "median": median(own), "min": min(own),
        "max": max(own), "baseline": baseline, "ceiling": ceiling, "trivial": 0.0,
        "input_class": "expression",
        "skill": None if baseline is None or ceiling is None else (mean - baseline) / (ceiling - baseline),
    }  # fmt: skip
    return ScoreRecord(**{**record, **fields})


def results(*models, name="cohort-imputation", dataset="d", **changes):
    """Results of models on one task, by (label, level)."""
    place = {"task": name, "dataset": dataset}
    simple = score("gene_gene_ridge", 0.3, role="baseline", **place)
    held = {"baseline": simple.value}
    scores = [
        score("train_mean", 0.0, role="baseline", spread=0, input_class="expression", **place, **held),
        score("gene_gene_ridge", 0.3, role="baseline", **place, **held),
        score("coords", 0.1, role="baseline", seed=3, input_class="image", **place, **held),
        score("shuffled(a)", 0.0, role="control", seed=4, **place, **held),
    ]
    verdicts = []
    for seed, (label, level) in enumerate(models or (("a", 0.5),), start=10):
        for variant in ("", "raw"):
            own = {"variant": variant, "seed": seed, **place, **held}
            scores += [score(label, level, metric=metric, **own) for metric in ("spearman_gene", "rmse")]
        gate = GateRecord(
            kind="beats", reference="gene_gene_ridge", margin=0.01, n=8, estimate=level - 0.3, low=0.1234567,
            high=0.3, p=0.001, outcome="pass", message="beats gene_gene_ridge",
        )  # fmt: skip
        verdicts += [
            VerdictRecord(
                **place, split="lopo", model=label, metric="spearman_gene", primary=True, verdict=word,
                variant=variant, gates=(gate,) if word == "pass" else (), message="in one line", p=0.001,
            )
            for variant, word in (("", "pass"), ("raw", "fail"))
        ]  # fmt: skip
    findings = (
        FindingRecord(status="fail", text=f"found {EVIL}", fix="mend it", statistic=0.4, threshold=0.3),
        FindingRecord(status="warn", text="another", fix="mend that", statistic=12345.6, genes=(LONG,)),
    )
    parts = {
        "run": RunRecord(started="2026-01-01", seconds=12.5, command="pytest tasks --stbench-model=a"),
        "models": tuple(ModelRecord(name=label, revision="1") for label, _ in models),
        "tasks": (
            TaskRecord(
                name=name, version=2, family="imputation", claim="population", primary="spearman_gene",
                fingerprint="f",
            ),
        ),
        "datasets": (
            DatasetRecord(
                task=name, name=dataset, checksum="c", patients={f"S{n}": n for n in PATIENTS}, n_slides=8,
                n_units=1234, n_genes=50,
            ),
        ),
        "checks": (
            CheckRecord(
                task=name, id="Q06", name="empty_units", scope="dataset", dataset=dataset, status="fail",
                severity="fail", findings=findings, message="m", fix="mend it", checklist=("S9",),
            ),
            CheckRecord(task=name, id="Q01", name="gene_ids", scope="task", status="pass", severity="fail"),
        ),
        "scores": tuple(scores),
        "verdicts": tuple(verdicts),
        "lock": (
            LockRecord(
                **place, split="lopo", fold="P0", train=("SP1",), test=("SP0",), genes=("G1",)
            ),
        ),
    }  # fmt: skip
    return settled(Results(**{**parts, **changes}))


@pytest.fixture(scope="session")
def made():
    """Makes results; see `results`."""
    return results


@pytest.fixture(scope="session")
def scored():
    """Makes one score; see `score`."""
    return score


@pytest.fixture
def saved(tmp_path):
    """Saves results under a name and returns the path."""

    def write(given, name="run"):
        path = tmp_path / f"{name}.json"
        save(path, given)
        return path

    return write
