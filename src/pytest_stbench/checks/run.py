"""Run one check with the thresholds and waivers of a task file."""

from __future__ import annotations

import datetime as dt
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.result import CheckResult
from pytest_stbench.errors import DataMissing, StbenchError, StbenchWarning
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from pytest_stbench.registry import Check
    from pytest_stbench.spec.model import CheckSpec

UNTRUSTED = "a benchmark cannot be trusted without this check"


def run_check(
    record: Check,
    function: Callable[..., CheckResult],
    arguments: Mapping[str, Any],
    override: CheckSpec | None = None,
    *,
    today: dt.date | None = None,
) -> CheckResult:
    """Return what `function` finds, under the thresholds and waiver of `override`.

    Parameters
    ----------
    record
        The check; its ``params`` are the default thresholds.
    function
        What ``record.target`` names.
    arguments
        The facts at hand, by name (``dataset``, ``folds``, ``samples``, ``claim`` ...). A check
        takes those that it names as parameters; others are left aside.
    override
        What the task file says under ``checks:``.
    today
        The day on which waivers are judged; default: the current day.

    Notes
    -----
    A skip of a record with ``skip_fails`` is a failure. A failure with a valid waiver becomes a
    warning marked ``waived``; a waiver without reason, with an unreadable ``until`` or past it is
    void. Changed thresholds past their ``until`` are void too: the defaults hold again. Data that
    the check cannot handle is a failure with a message, never an exception; only ``DataMissing``
    passes through, because data that is not here is not judged.
    """
    void, changed = _holding(override, today)
    result = _call(record, function, arguments, changed)
    if result.status == "skip" and record.skip_fails:
        result = replace(
            result,
            status="fail",
            message=f"cannot be judged, and {UNTRUSTED}: {result.message}",
            findings=tuple(replace(finding, status="fail") for finding in result.findings),
        )
    if override is None:
        return result
    result = _note_thresholds(record, result, override, changed)
    if override.params and not changed and not override.waive:
        result = replace(result, message=f"{void}; {result.message}")
    return _waive(result, override, void) if override.waive else result


def params_of(
    record: Check, override: CheckSpec | None = None, *, today: dt.date | None = None
) -> dict[str, Any]:
    """Return the thresholds of a check as they hold under `override` on the day `today`."""
    _, changed = _holding(override, today)
    return {name: _merged(value, changed.get(name, value)) for name, value in record.params.items()}


def _holding(override: CheckSpec | None, today: dt.date | None) -> tuple[str, dict[str, Any]]:
    """Return why an override does not hold, or an empty string, and the thresholds that it changes."""
    if override is None:
        return "", {}
    void = _void(override, today or dt.datetime.now(tz=dt.UTC).date())
    return void, {} if override.until and void else dict(override.params)


def _call(
    record: Check,
    function: Callable[..., CheckResult],
    arguments: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> CheckResult:
    unknown = sorted(set(changed) - set(record.params))
    if unknown:
        known = ", ".join(record.params) or "none"
        fix = f"use one of: {known}"
        message = f"{record.name} has no threshold {unknown[0]!r}{nearest(unknown[0], record.params)}: {fix}"
        return CheckResult(status="fail", message=message, fix=fix)
    params = {name: _merged(value, changed.get(name, value)) for name, value in record.params.items()}
    try:
        result: object = function(**_accepted(function, arguments), **params)
    except (DataMissing, StbenchWarning):  # a warning is one where warnings are errors
        raise
    except StbenchError as error:
        fix = "correct the data, then run the check again"
        return CheckResult(status="fail", message=f"the data cannot be read: {error}: {fix}", fix=fix)
    except Exception as error:  # noqa: BLE001  # whatever the data holds, the item must end with a message
        fix = "look at the data for values of the wrong kind; if they are right, report this as a bug"
        return CheckResult(
            status="fail",
            message=f"{record.name} could not judge this data ({type(error).__name__}: {error}): {fix}",
            fix=fix,
            details={"traceback": traceback.format_exc()},
        )
    if isinstance(result, CheckResult):
        return result
    fix = "return a pytest_stbench.checks.CheckResult"
    message = f"{record.name}: {record.target} returned {type(result).__name__}: {fix}"
    return CheckResult(status="fail", message=message, fix=fix)


def _accepted(function: Callable[..., CheckResult], arguments: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(arguments)
    return {name: value for name, value in arguments.items() if name in parameters}


def _merged(default: Any, value: Any) -> Any:
    """Return `value`; a mapping keeps the entries of the default that it does not name."""
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return {**default, **value}
    return value


def _note_thresholds(
    record: Check, result: CheckResult, override: CheckSpec, changed: Mapping[str, Any]
) -> CheckResult:
    """Add to message and details which thresholds the task file changed, and why."""
    changes = {
        name: {"default": record.params[name], "set": value}
        for name, value in changed.items()
        if name in record.params and value != record.params[name]
    }
    if not changes:
        return result
    words = ", ".join(
        f"{name} {change['set']} instead of {change['default']}" for name, change in changes.items()
    )
    reason = f" ({override.reason})" if override.reason else ""
    return replace(
        result,
        message=f"with {words}{reason}: {result.message}",
        details={**result.details, "changed_thresholds": changes, "reason": override.reason},
    )


def _waive(result: CheckResult, override: CheckSpec, void: str) -> CheckResult:
    if result.status == "pass":
        return replace(result, message=f"{result.message} (its waiver is not needed: remove it)")
    if void:
        # a waiver that ended leaves the finding as it is, with the reason why it counts again
        return replace(result, message=f"{void}; {result.message}")
    who = f" by {override.owner}" if override.owner else ""
    until = f" until {override.until}" if override.until else ""
    return replace(
        result,
        status="warn",
        waived=True,
        findings=tuple(
            replace(finding, status="warn") if finding.status == "fail" else finding
            for finding in result.findings
        ),
        message=f"waived{who}{until} ({override.reason}): {result.message}",
        details={
            **result.details,
            "waived_status": result.status,
            "reason": override.reason,
            "owner": override.owner,
            "until": override.until,
        },
    )


def _void(override: CheckSpec, today: dt.date) -> str:
    """Return why the waiver or the changed thresholds do not hold, or an empty string."""
    what, does = ("the waiver has", "does") if override.waive else ("the changed thresholds have", "do")
    if not (override.reason or "").strip():
        return f"{what} no `reason:` and {does} not count: write one"
    if override.until is None:
        return ""
    try:
        last = dt.date.fromisoformat(str(override.until))
    except ValueError:
        return f"{what} an `until: {override.until}` that is not a date like 2027-01-31: correct it"
    return (
        f"{what} ended on {last}: correct the data, or renew what the task file says" if today > last else ""
    )
