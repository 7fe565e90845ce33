"""A release, played through: a run is approved, a worse one fails against it, a better one is approved."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

GATED = {
    "baselines": ["train_mean"],
    "gates": {"spearman_gene": {"not_worse_than": {"margin": 0.01}}},
}
SCORE = ("-k", "spearman_gene and not P0")
"""The pooled score alone; what it stands on is computed all the same."""
MODELS = '''
class Neighbour:
    """Each gene as the observed one it goes with most closely, and noise."""

    name = "mymodel"

    def __init__(self, revision, noise):
        self.revision, self.noise = revision, noise

    def fit(self, train, task):
        x = np.concatenate([np.asarray(slide.units.X.todense()) for slide in train])
        y = np.concatenate([slide.target for slide in train])
        a, b = x - x.mean(axis=0), y - y.mean(axis=0)
        size = np.sqrt((a**2).sum(axis=0))[:, None] * np.sqrt((b**2).sum(axis=0))
        self.best = np.argmax((a.T @ b) / np.maximum(size, 1e-9), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        x = np.asarray(slide.units.X.todense(), dtype=np.float32)[:, self.best]
        return (x + self.noise * np.random.default_rng(0).standard_normal(x.shape)).astype(np.float32)


@pytest.fixture
def v1():
    return lambda: Neighbour("1", 5.0)


@pytest.fixture
def worse():
    return lambda: Neighbour("1.1", 200.0)


@pytest.fixture
def better():
    return lambda: Neighbour("2", 0.0)
'''


@pytest.fixture(scope="module")
def release(make_bench):
    bench = make_bench("release")
    bench.conftest(MODELS)
    bench.task(**GATED)
    first = bench.run("--stbench-model=v1", "--stbench-save=v1.json", *SCORE)
    assert (bench.folder / "v1.json").exists(), first.out
    return bench


@pytest.fixture
def stbench(release, monkeypatch):
    monkeypatch.chdir(release.folder)

    def call(*arguments):
        done = CliRunner().invoke(main, arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return call


def test_a_release_is_played_through(release, stbench):
    done = stbench("approve", "v1.json", "--by", "Ada", "--why", "first release")
    assert done.exit_code == 0, done.output
    named = "reference.json (approved by Ada on "
    pooled = "spearman_gene[sim-lopo]"
    against = "--stbench-compare=reference.json"

    equal = release.run("--stbench-model=v1", against, *SCORE)
    assert equal.outcome(pooled) == "passed", equal.out
    assert "no patient gained or lost" in equal.line(f"compare {pooled} with {named}")
    assert "first release (from v1.json" in equal.line("compare reference.json (approved by Ada")

    worse = release.run("--stbench-model=worse", against, "--stbench-save=worse.json", *SCORE)
    assert worse.outcome(pooled) == "failed", worse.out
    assert f"worse than {named}" in worse.message(pooled)
    assert "lost most: patients P" in worse.line(f"compare {pooled} with {named}")
    told = stbench("compare", "reference.json", "worse.json").output
    (line,) = [line for line in told.splitlines() if line.startswith("  * spearman_gene")]
    assert line.endswith("lost")

    better = release.run("--stbench-model=better", against, "--stbench-save=better.json", *SCORE)
    assert better.outcome(pooled) == "passed", better.out
    assert "gained most: patients P" in better.line(f"compare {pooled} with {named}")
    gates = json.loads((release.folder / "better.json").read_text())["verdicts"]
    assert any(gate["reference"].startswith(named) for v in gates for gate in v["gates"] if gate["reference"])

    told = stbench("compare", "v1.json", "worse.json", "better.json").output
    assert told.count("genes ") >= 2
    done = stbench("approve", "better.json", "--by", "Ada", "--why", "better on every patient")
    assert done.exit_code == 0
    again = release.run("--stbench-model=v1", against, *SCORE)
    assert again.outcome(pooled) == "failed", again.out
    board = stbench("leaderboard", "v1.json", "worse.json", "better.json").output
    ranked = re.findall(r"^  \d \(\d(?:-\d)?\) of \d (better|v1|worse) ", board, re.MULTILINE)
    assert ranked == ["better", "v1", "worse"]


def test_an_edited_reference_stops_the_run_before_anything_is_computed(release, stbench):
    done = stbench("approve", "v1.json", "--by", "Ada", "--why", "first", "-o", "edited.json")
    assert done.exit_code == 0, done.output
    path = release.folder / "edited.json"
    data = json.loads(path.read_text())
    patients = data["scores"][0]["per_patient"]
    patients[next(iter(patients))] = 0.0
    path.write_text(json.dumps(data))
    run = release.run("--stbench-model=v1", "--stbench-compare=edited.json", *SCORE)
    assert run.code == 4
    assert "the reference was changed after Ada approved it" in run.out


def test_other_data_is_refused_by_name(release, stbench):
    assert stbench("approve", "v1.json", "--by", "Ada", "--why", "f", "-o", "d.json").exit_code == 0
    release.task("mini", GATED, {"datasets": {"sim": {"params": {"seed": 5}}}})
    run = release.run("--stbench-model=v1", "--stbench-compare=d.json", *SCORE)
    assert "not comparable with d.json (approved by Ada on" in run.message("spearman_gene[sim-lopo]")
    assert "checksum" in run.message("spearman_gene[sim-lopo]")
    release.task(**GATED)


def line_of(path, text):
    (number,) = [
        n for n, line in enumerate(path.read_text().splitlines(), 1) if line.strip().startswith(text)
    ]
    return number


def test_github_marks_the_line_of_a_failed_gate_and_gets_a_summary(release, stbench, monkeypatch, tmp_path):
    assert stbench("approve", "v1.json", "--by", "Ada", "--why", "f", "-o", "g.json").exit_code == 0
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(release.folder))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    release.run("--stbench-model=v1", "--stbench-compare=g.json", *SCORE)
    assert "::error" not in (told := summary.read_text())
    assert told.startswith("before\n## stbench: 1 of 1 gate passed")
    run = release.run("--stbench-model=worse", "--stbench-compare=g.json", "--junitxml=junit.xml", *SCORE)
    gate = line_of(release.folder / "mini.stbench.yaml", "not_worse_than") - 1
    line = run.line("::error ")
    assert line.startswith(
        f"::error file=mini.stbench.yaml,line={gate},title=spearman_gene[sim-lopo]::spearman"
    )
    assert "worse than g.json (approved by Ada on" in line
    told = summary.read_text()
    assert "## stbench: 0 of 1 gate passed" in told
    assert "| fail | spearman\\_gene\\[worse-sim-lopo] | mini | " in told
    assert "lost most: patients P" in told
    shown = [line for line in run.out.partition("= FAILURES =")[2].splitlines() if "::error" not in line]
    assert any(line.startswith("FAILED mini.stbench.yaml::spearman_gene[sim-lopo] - Gate") for line in shown)
    assert max(map(len, shown)) <= 160
    (failure,) = ET.parse(release.folder / "junit.xml").iter("failure")
    assert len(failure.get("message")) <= 160
    assert "worse than g.json (approved by Ada on" in " ".join(failure.text.split())
    values = [found.get("value") for found in ET.parse(release.folder / "junit.xml").iter("property")]
    assert max(map(len, values)) <= 100


def test_github_marks_the_line_of_a_failed_check(release, monkeypatch):
    release.task(
        "mini",
        GATED,
        {"checks": {"too_few_patients": {"exploratory_max": 50, "approximate_max": 60, "reason": "to fail"}}},
    )
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run = release.run("-m", "stbench_check", "-k", "too_few_patients")
    check = line_of(release.folder / "mini.stbench.yaml", "too_few_patients")
    lines = run.lines("::error ")
    assert any(f"mini.stbench.yaml,line={check},title=too_few_patients" in line for line in lines), run.out
    release.task(**GATED)
