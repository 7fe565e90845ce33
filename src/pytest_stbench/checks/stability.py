"""Q15 and the results part of Q13: conclusions that one pipeline, or pooling, makes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.wording import count, some
from pytest_stbench.extend import check
from pytest_stbench.kernels.agreement import kendall_w

if TYPE_CHECKING:
    from collections.abc import Mapping


@check(
    "Q15",
    severity="warn",
    scope="results",
    needs="metadata",
    reasons={"min_settings": "normalisation, genes and filter, each changed once beside the main one"},
    checklist=("S5",),
    after=("fitted_on_test",),
)
def preprocessing_unstable(
    *,
    model: str,
    simple: Mapping[str, Mapping[str, float | None]],
    values: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    better: str = "up",
    min_settings: int = 4,
) -> CheckResult:
    """Does the conclusion about the model hold under every declared preprocessing?

    Parameters
    ----------
    model
        Name of the model that is judged.
    simple
        Place (data set and split) to setting (variant; ``main``) to the pooled primary metric of
        the simple baseline S.
    values
        The same of every model of the run, by its name first.
    better
        ``up`` or ``down``: the direction of the metric.

    Notes
    -----
    A sign of model - S that flips between settings warns, and so does an order against another
    model that flips. No setting beside the main one warns: then nobody knows. Fewer than
    `min_settings` pass with a note. The statistic is the number of settings with the rarer sign,
    worst place. ``details`` have the differences, the range of the metric and, from three models on,
    Kendall's W of their ranks over settings. Settings without a value are left aside and counted.
    """
    sign = -1.0 if better == "down" else 1.0
    own = values.get(model, {})
    findings: list[Finding] = []
    details: dict[str, dict[str, Any]] = {}
    flipped = undefined = 0
    for place, settings in own.items():
        found = {name: by_place.get(place, {}) for name, by_place in values.items()}
        differences = _differences(settings, simple.get(place, {}), sign)
        undefined += len(settings) - len(differences)
        w = kendall_w(found, sign)
        details[place] = {"model_minus_simple": differences, "range": _range(settings), "kendall_w": w}
        flips = _flips(model, place, differences)
        flipped = max([flipped, *(int(finding.statistic or 0) for finding in flips)])
        findings += [*flips, *_overtaken(model, place, found, sign)]
    least = min(map(len, own.values()), default=None)
    if least is None or not any(d["model_minus_simple"] for d in details.values()):
        text = f"there is no pooled score of {model} beside one of the simple baseline"
        return nothing_to_judge(text, "see which item keeps it from being scored")
    if least < 2:  # one setting has nothing to be compared with
        findings.append(_no_ablation(least, min_settings))
    note = f" (fewer than the {min_settings} advised)" if least < min_settings else ""
    left = f", {count(undefined, 'setting')} without a value" if undefined else ""
    return conclude(
        findings,
        passed=f"{model} against the simple baseline has one sign in {count(least, 'setting')}{note}{left}",
        statistic=flipped,
        threshold=0.0,
        details=details,
    )


@check(
    "Q13r",
    severity="warn",
    scope="results",
    reasons={
        "max_gap": "slides then explain a fifth of the variance (the square root of 0.2)",
        "hide_gap": "slides then explain half of the variance (the square root of 0.5)",
    },
    checklist=("S7",),
    after=("class_imbalance",),
)
def patient_effect_gap(
    *,
    between: Mapping[str, float | None],
    max_gap: float = 0.45,
    hide_gap: float = 0.71,
) -> CheckResult:
    """How well does the mean of each slide alone do once slides are pooled?

    Within a slide a constant correlates with nothing (0); pooled over slides it correlates with the
    truth by the square root of the variance that slides explain. `between` gives that correlation,
    mean over genes, for each pool of test slides (data set and split); the statistic is the largest,
    which is the pooled-minus-within gap. Above `max_gap` (a fifth of the variance) it warns: quote
    within-slide scores only; above `hide_gap` (half) strongly so. Where no expression is scored it
    passes.
    """
    known = {place: float(value) for place, value in between.items() if _defined(value)}  # type: ignore[arg-type]  # defined ones are numbers
    if not known:
        return conclude([], passed="no expression is scored on two test slides or more: nothing is pooled")
    worst = max(known, key=lambda place: (known[place], place))
    value = known[worst]
    findings = []
    if value > max_gap:
        strong = value > hide_gap
        limit = hide_gap if strong else max_gap
        text = (
            f"on {worst} the mean of each slide alone, which is 0 within slides, reaches a pooled Pearson of "
        )
        text += f"{value:.2f} ({limit:g} allowed): correlations pooled over slides show who the patient is, "
        text += "not where genes are expressed"
        fix = f"quote within-slide scores only{', and split by single patients (`lopo`)' if strong else ''}"
        findings.append(Finding(status="warn", text=text, fix=fix, statistic=value, threshold=limit))
    return conclude(
        findings,
        passed=f"the mean of each slide reaches a pooled Pearson of {value:.2f} at most",
        statistic=value,
        threshold=max_gap,
        details={"pooled_minus_within": known},
    )


def _defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _differences(
    settings: Mapping[str, float | None], simple: Mapping[str, float | None], sign: float
) -> dict[str, float]:
    found = {}
    for name, value in settings.items():
        reference = simple.get(name)
        if value is not None and reference is not None and _defined(value) and _defined(reference):
            found[name] = sign * (value - reference)
    return found


def _no_ablation(settings: int, wanted: int) -> Finding:
    text = "no ablation is declared: whether the conclusion depends on preprocessing is not known"
    fix = f"add variants under `preprocess: {{variants: ...}}`, {wanted} settings with the main one"
    return Finding(status="warn", text=text, fix=fix, statistic=settings, threshold=wanted)


def _range(settings: Mapping[str, float | None]) -> float | None:
    numbers = [value for value in settings.values() if value is not None and math.isfinite(value)]
    return max(numbers) - min(numbers) if numbers else None


def _flips(model: str, place: str, differences: Mapping[str, float]) -> list[Finding]:
    """Return a warning where the model is better than the simple baseline under some settings alone."""
    sides = _both_signs(differences)
    if sides is None:
        return []
    up, down = sides
    text = f"conclusion preprocessing-dependent on {place}: {model} is better than the simple "
    text += f"baseline under {some(up)} and worse under {some(down)}"
    fix = "report all settings, and claim only what holds in each of them"
    rarer = min(len(up), len(down))
    return [Finding(status="warn", text=text, fix=fix, statistic=rarer, threshold=0.0)]


def _both_signs(differences: Mapping[str, float]) -> tuple[list[str], list[str]] | None:
    """Return the settings above and below 0; None where they are all on one side."""
    up = sorted(name for name, value in differences.items() if value > 0)
    down = sorted(name for name, value in differences.items() if value < 0)
    return (up, down) if up and down else None


def _overtaken(
    model: str, place: str, found: Mapping[str, Mapping[str, float | None]], sign: float
) -> list[Finding]:
    """Return the first other model whose order against `model` flips between settings."""
    for other in sorted(set(found) - {model}):
        differences = _differences(found[model], found[other], sign)
        if sides := _both_signs(differences):
            ahead, behind = sides
            return [
                Finding(
                    status="warn",
                    text=f"ranking preprocessing-dependent on {place}: {model} is ahead of {other} under "
                    f"{some(ahead)} and behind under {some(behind)}",
                    fix="name no winner, or show the ranking of every setting",
                    statistic=min(len(ahead), len(behind)),
                    threshold=0.0,
                )
            ]
    return []
