"""Measure what gates and intervals do on simulated patients, and write ``docs/statistics.md``.

``python tests/calibration/gate_rule.py --write docs/statistics.md`` (some minutes on one core). Every cell
has a random stream of its own, ``numpy.random.default_rng([SEED, table, row, column])``, so that one row can
be made again alone. The table of shipped tasks looks for their data in ``$STBENCH_DATA``.
"""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path

import click
import numpy as np
from scipy import stats

from pytest_stbench.data.samples import load_samples
from pytest_stbench.gate import plan_gates, required_references, rules_for
from pytest_stbench.kernels.agreement import holm
from pytest_stbench.kernels.guarded import MIN_PATIENTS, detectable_effect, spread
from pytest_stbench.kernels.mean_interval import interval_in_range
from pytest_stbench.registry import SIMPLE
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.defaults import family_of, primary_of
from pytest_stbench.spec.validate import load_task

SEED = 13
REPEATS = 100_000
PATIENTS = range(4, 41)
SIZES = (4, 6, 8, 12, 20, 40)
EFFECTS = (0.5, 1.0, 1.5)
LEVEL = 0.025
CHUNK = 2_000_000


def lognormal(rng, shape):
    return math.exp(0.405) - np.exp(0.9 * rng.standard_normal(shape))


def unequal_slides(rng, shape):
    """A patient effect, and the mean of the noise of one to six slides; SD 1."""
    slides = rng.integers(1, 7, shape)
    share = np.mean(1 / np.arange(1, 7))
    noise = rng.standard_normal(shape) / np.sqrt(slides)
    return (rng.standard_normal(shape) + noise) / math.sqrt(1 + share)


def laplace(rng, shape):
    """Asymmetric Laplace leaning to the left: the lower tail is three times as long; mean 0."""
    return rng.exponential(size=shape) / 3 - rng.exponential(size=shape) + 2 / 3


def noisy_lognormal(rng, shape):
    return lognormal(rng, shape) + 0.25 * 1.68 * rng.standard_normal(shape)


def tenth_lower(rng, shape):
    """A tenth of the patients 5 SD lower; mean 0."""
    return rng.standard_normal(shape) - 5.0 * (rng.random(shape) < 0.1) + 0.5


def disaster(rng, shape):
    """One patient in twenty loses 0.95, all others gain 0.05 (SD 0.02); mean 0."""
    return 0.05 + 0.02 * rng.standard_normal(shape) - 1.0 * (rng.random(shape) < 0.05)


LAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "unequal slides": unequal_slides,
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "exponential, left": lambda rng, shape: 1.0 - rng.exponential(size=shape),
    "lognormal .9, left": lognormal,
}
"""Differences of mean 0: how often a gate passes them is the rate of false passes."""
OUTSIDE = {
    "lognormal .9 with 25% symmetric noise": noisy_lognormal,
    "asymmetric Laplace": laplace,
    "a tenth 5 SD lower": tenth_lower,
    "rare disaster": disaster,
}


def beta(mean, size, low=0.0, high=1.0):
    """Return draws of patient values between `low` and `high` with a mean, and that mean and range."""
    share = (mean - low) / (high - low)
    return (
        lambda rng, shape: low + (high - low) * rng.beta(size * share, size * (1 - share), shape),
        mean,
        (low, high),
    )


SCORES = {
    "spearman about .73": beta(0.73, 20, -1.0, 1.0),
    "spearman about .92": beta(0.92, 6, -1.0, 1.0),
    "F1 about .9": beta(0.9, 8),
    "F1 about .5": beta(0.5, 8),
    "F1 about .08": beta(0.08, 8),
    "rmse, lognormal .6": (
        lambda rng, shape: np.exp(0.6 * rng.standard_normal(shape)),
        math.exp(0.18),
        (0.0, None),
    ),
}


def stream(*place):
    return np.random.default_rng([SEED, *place])


def shares(draw, place, n, repeats, *tests):
    """Return the share of samples in which each of `tests` holds; draws go in chunks of bounded size."""
    rng, found, left = stream(*place), np.zeros(len(tests)), repeats
    while left:
        size = min(left, max(1, CHUNK // n))
        d = draw(rng, (size, n))
        found += [np.count_nonzero(test(d)) for test in tests]
        left -= size
    return (found / repeats).tolist()


def above(d):
    return spread(d).bounds()[0] > 1e-12


def covers(d):
    low, high = spread(d).bounds()
    return (low <= 0) & (high >= 0)


def rates(n, repeats=REPEATS):
    """Return false passes by law, power by effect, and coverage by law, for n patients."""
    false, coverage = [], []
    for column, (name, draw) in enumerate(LAWS.items()):
        passed, covered = shares(draw, (0, n, column), n, repeats, above, covers)
        false.append(passed)
        if name in ("normal", "exponential, left", "lognormal .9, left"):
            coverage.append(covered)
    power = [
        shares(lambda rng, shape, e=e: e + rng.standard_normal(shape), (1, n, column), n, repeats, above)[0]
        for column, e in enumerate(EFFECTS)
    ]
    return false, power, coverage


def student(d):
    return stats.t.ppf(0.975, d.shape[1] - 1) * d.std(axis=1, ddof=1) / math.sqrt(d.shape[1])


def intervals(name, n, repeats=REPEATS):
    """Return coverage and share outside the range of plain t, coverage of ours and of the guarded bounds."""
    draw, mean, ends = SCORES[name]
    low_end = -np.inf if ends[0] is None else ends[0]
    high_end = np.inf if ends[1] is None else ends[1]

    def plain(v):
        return np.abs(v.mean(axis=1) - mean) <= student(v)

    def outside(v):
        m, half = v.mean(axis=1), student(v)
        return (m - half < low_end) | (m + half > high_end)

    def ours(v):
        low, high = interval_in_range(v.mean(axis=1), student(v), ends)
        return (low <= mean) & (high >= mean)

    def guarded(v):
        low, high = spread(v).bounds()
        return (low <= mean) & (high >= mean)

    place = (2, n, list(SCORES).index(name))
    return shares(draw, place, n, repeats, plain, outside, ours, guarded)


def family_rates(law, n, k, *, shared, repeats=REPEATS):
    """Return the chance of any false pass among k models: with Holm, and each on its own p."""
    draw = LAWS[law]
    place = (3, n, k, list(LAWS).index(law), int(shared))
    rng, found, left = stream(*place), np.zeros(2), repeats
    while left:
        size = min(left, max(1, CHUNK // (n * k)))
        d = draw(rng, (size, k, n))
        if shared:
            d = math.sqrt(0.5) * (d + draw(rng, (size, 1, n)))
        p = spread(d).p()
        # Under no effect Holm rejects something exactly where its first step does.
        found += [np.count_nonzero(p.min(axis=1) < LEVEL / k), np.count_nonzero(p.min(axis=1) < LEVEL)]
        left -= size
    assert min(holm([LEVEL / k * 0.99, *[1.0] * (k - 1)])) < LEVEL
    return (found / repeats).tolist()


def first_step(n, k, repeats=REPEATS):
    """Return the power at an effect of 1.5 SD at the level of Holm's first step over k models."""
    return shares(
        lambda rng, shape: 1.5 + rng.standard_normal(shape),
        (4, n, k), n, repeats, lambda d: spread(d).p() < LEVEL / k,
    )[0]  # fmt: skip


def number(value):
    text = f"{value:.3f}"
    return "1" if text == "1.000" else text.removeprefix("0")


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def rule_table(repeats):
    header = ["n", *LAWS, *(f"power {e}" for e in EFFECTS), "coverage normal / exp / ln", "smallest effect"]
    rows = []
    for n in PATIENTS:
        false, power, coverage = rates(n, repeats)
        decided = n >= MIN_PATIENTS
        rows.append(
            [
                n,
                *(number(value) if decided else "-" for value in (*false, *power)),
                " / ".join(map(number, coverage)),
                f"{detectable_effect(n):.2f} SD" if decided else "-",
            ]
        )
        click.echo(f"n = {n}", err=True)
    return table(header, rows)


def outside_table(repeats):
    header = ["differences of mean 0", *(f"n = {n}" for n in SIZES[1:])]
    rows = [
        [name, *(number(shares(draw, (5, n, row), n, repeats, above)[0]) for n in SIZES[1:])]
        for row, (name, draw) in enumerate(OUTSIDE.items())
    ]

    def bounded(d):
        return above(d) & (d.min(axis=1) >= -0.1)

    rows.append(
        [
            "rare disaster, with `min_patient_difference: -0.1`",
            *(number(shares(disaster, (5, n, 3), n, repeats, bounded)[0]) for n in SIZES[1:]),
        ]
    )
    return table(header, rows)


def interval_table(repeats):
    header = ["patient values", "n", "plain t", "plain t leaves the range", "reported", "guarded"]
    rows = [[name, n, *map(number, intervals(name, n, repeats))] for name in SCORES for n in SIZES]
    return table(header, rows)


def holm_table(repeats):
    header = ["n", "law", *(f"{what}, k = {k}" for k in (2, 3, 5) for what in ("Holm", "without"))]
    rows = []
    for n in (6, 8, 12, 20):
        for law in ("normal", "exponential, left", "lognormal .9, left"):
            row = [n, law]
            for k in (2, 3, 5):
                apart = family_rates(law, n, k, shared=False, repeats=repeats)
                together = family_rates(law, n, k, shared=True, repeats=repeats)
                row += [f"{number(a)} / {number(b)}" for a, b in zip(apart, together, strict=True)]
            rows.append(row)
    return table(header, rows)


def power_table(repeats):
    header = ["n", *(f"k = {k}" for k in (1, 2, 3, 5))]
    return table(
        header, [[n, *(number(first_step(n, k, repeats)) for k in (1, 2, 3, 5))] for n in (6, 8, 12)]
    )


def shipped_table():
    """Say what each shipped task can show: data that are not in $STBENCH_DATA give no number of patients."""
    registry, data = builtin_registry(), os.environ.get("STBENCH_DATA")
    rows = []
    for path in sorted(tasks_dir().rglob(f"*{TASK_SUFFIX}")):
        task = load_task(path, registry)
        roots = (*([Path(data)] if data else []), path.parent)
        family = family_of(task.spec, registry)
        primary = primary_of(task.spec, family)
        grid = make_grid(task, partial(_samples, roots=roots), registry.splits)
        rules = rules_for(
            task.spec.gates.get(primary), required=required_references(family, SIMPLE), primary=True
        )
        for pool in grid.pools:
            patient = {s.slide: s.patient or s.slide for s in grid.samples[pool.dataset]}
            n = len({patient[slide] for slide in pool.test_slides})
            plans = plan_gates(n, rules, metric=primary, claim=task.spec.claim)
            least = max((plan.effect_sd for plan in plans if plan.kind == "beats"), default=0.0)
            if pool.within or math.isinf(least):
                effect = "no comparison"
            else:
                effect = f"{least:.2f} SD" if least else "no baseline in the rule"
            place = f"`{task.spec.name}`" + (f" {pool.id}" if len(grid.pools) > 1 else "")
            rows.append([place, task.spec.claim, n, f"`{primary}`", effect])
        rows += [[f"`{task.spec.name}`", task.spec.claim, "-", f"`{primary}`", "-"] for _ in grid.missing]
    return table(["task", "claim", "test patients", "primary metric", "smallest effect that can pass"], rows)


def _samples(name, dataset, roots):
    return load_samples(dataset, name, roots)


def page(repeats):
    return (Path(__file__).with_suffix(".md").read_text(encoding="utf-8")).format(
        repeats=repeats,
        rule=rule_table(repeats),
        outside=outside_table(repeats),
        interval=interval_table(repeats),
        holm=holm_table(repeats),
        power=power_table(repeats),
        shipped=shipped_table(),
    )


@click.command()
@click.option(
    "--write", "path", type=click.Path(path_type=Path), help="where the page goes; else it is printed"
)
@click.option("--repeats", default=REPEATS, show_default=True)
def main(path, repeats):
    """Make the page."""
    text = page(repeats)
    if path is None:
        click.echo(text)
    else:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
