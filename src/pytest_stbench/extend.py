"""Say what a metric, check, baseline, family, split or reader is, where its code stands.

::

    from pytest_stbench.extend import metric

    @metric("X1", bounds=(0.0, None), better="down", params=("power",))
    def rank_error(truth, prediction, *, power=1.0, measured=None, genes=None):
        '''Mean distance of true and predicted ranks of each gene'''

A decorator returns what it is given. The record that it keeps beside it takes the name, the parameters with
their defaults and the summary from there: nothing is said twice. What a decorator may be told is what the
record has: :class:`~pytest_stbench.registry.Metric` and its kind.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.errors import StbenchError
from pytest_stbench.registry import Baseline, Check, Family, Metric, Reader, Split, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["baseline", "check", "family", "metric", "reader", "split"]

Declared = TypeVar("Declared", bound="Callable[..., Any]")
RECORD = "__stbench_record__"
QUESTION = "__stbench_question__"
"""Of a family: the class that asks, where it was given as such."""

_DERIVED = frozenset({"name", "summary", "target", "wraps"})


def metric(
    id: str,  # noqa: A002  # what records call it
    *,
    params: Sequence[str] = (),
    inputs: Sequence[str] = (),
    statistic: Callable[..., Any] | None = None,
    **facts: Any,
) -> Callable[[Declared], Declared]:
    """Declare a metric: a function of truth and prediction that returns ``Scores``.

    Parameters
    ----------
    id
        What tables call it beside its name.
    params
        Those of its keyword arguments that a task file may set; their defaults are those of the function.
    inputs
        Those that it is given where they are at hand; what has no default is given without being named.
    statistic
        The function that makes of a slide what the metric takes in the place of a prediction.
    facts
        ``bounds`` and ``better``, and further fields of :class:`~pytest_stbench.registry.Metric`.

    Raises
    ------
    StbenchError
        Where what is said does not fit the function.
    """

    def declare(function: Declared) -> Declared:
        __tracebackhide__ = True
        given = _keywords(function, "metric", first=("truth", "prediction"))
        unset = [name for name, default in given.items() if default is inspect.Parameter.empty]
        _known(function, "metric", "inputs", inputs, given)
        more = {
            "params": _defaults(function, "metric", params, given),
            "inputs": (*unset, *inputs),
            "statistic": "" if statistic is None else _target(statistic),
        }
        return _kept(function, Metric, id, function.__name__, {**facts, **more})

    return declare


def check(
    id: str,  # noqa: A002
    *,
    reasons: Mapping[str, str] | None = None,
    **facts: Any,
) -> Callable[[Declared], Declared]:
    """Declare a data-quality check: a function that returns a ``CheckResult``.

    Parameters
    ----------
    id
        What tables call it beside its name.
    reasons
        For each of its thresholds why the default stands there; the default is that of the function.
    facts
        ``severity`` and ``scope``, ``after`` (checks that run before it), and further fields of
        :class:`~pytest_stbench.registry.Check`.

    Raises
    ------
    StbenchError
        Where what is said does not fit the function.
    """
    reasons = reasons or {}

    def declare(function: Declared) -> Declared:
        __tracebackhide__ = True
        params = _defaults(function, "check", reasons, _keywords(function, "check"))
        return _kept(
            function, Check, id, function.__name__, {**facts, "params": params, "reasons": dict(reasons)}
        )

    return declare


def baseline(id: str, **facts: Any) -> Callable[[Declared], Declared]:  # noqa: A002
    """Declare a baseline: a class whose name in words is that of the baseline, or a control's function.

    `facts` are ``kind`` and ``families``, and further fields of :class:`~pytest_stbench.registry.Baseline`.
    Raises ``StbenchError`` where one of them is unknown or missing.
    """

    def declare(made: Declared) -> Declared:
        __tracebackhide__ = True
        return _kept(made, Baseline, id, _in_words(made), facts)

    return declare


def family(
    id: str,  # noqa: A002
    *,
    question: type[Any] | None = None,
    **facts: Any,
) -> Callable[[Declared], Declared]:
    """Declare a family: the class of its settings, a :class:`~pytest_stbench.families.Block`.

    The name of the class in words is that of the family.

    Parameters
    ----------
    id
        What tables call it beside its name.
    question
        The :class:`~pytest_stbench.families.Question` that asks. Where it is not given, the class
        ``Niches`` of a file ``declare.py`` is asked by the class ``NichesQuestion`` of the file ``ask.py``
        beside it, which is imported when an item runs.
    facts
        ``method``, ``primary``, ``metrics`` ... of :class:`~pytest_stbench.registry.Family`.

    Raises
    ------
    StbenchError
        Where one of them is unknown or missing, or what is decorated is no class of settings.
    """

    def declare(made: Declared) -> Declared:
        __tracebackhide__ = True
        if not (isinstance(made, type) and hasattr(made, "mistakes")):
            raise StbenchError(
                f"{_target(made)}: @family: stands on a class of settings: derive one from "
                "pytest_stbench.families.Block"
            )
        folder, _, file = made.__module__.rpartition(".")
        if question is None and file != "declare":
            raise StbenchError(
                f"{_target(made)}: @family: say which class asks: `question=CLASS`, or declare it in a file "
                f"declare.py beside an ask.py with the class {made.__name__}Question"
            )
        asks = f"{folder}.ask:{made.__name__}Question" if question is None else _target(question)
        setattr(made, QUESTION, question)
        return _kept(made, Family, id, _in_words(made), {**facts, "question": asks})

    return declare


def split(**facts: Any) -> Callable[[Declared], Declared]:
    """Declare a split: a function of samples that returns folds; its keyword arguments are its parameters.

    `facts` are further fields of :class:`~pytest_stbench.registry.Split`. Raises ``StbenchError`` where one
    is unknown.
    """

    def declare(function: Declared) -> Declared:
        __tracebackhide__ = True
        given = _keywords(function, "split")
        params = _defaults(function, "split", tuple(given), given)
        return _kept(function, Split, function.__name__, function.__name__, {**facts, "params": params})

    return declare


def reader(
    id: str,  # noqa: A002
    name: str,
    *,
    index: Callable[..., Any] | None = None,
    **facts: Any,
) -> Callable[[Declared], Declared]:
    """Declare a reader: a function that opens a source of slides.

    Parameters
    ----------
    id, name
        What tables and task files (``source:``) call it.
    index
        The function that lists the slides where no samples table is given.
    facts
        Further fields of :class:`~pytest_stbench.registry.Reader`.

    Raises
    ------
    StbenchError
        Where one of them is unknown.
    """

    def declare(function: Declared) -> Declared:
        __tracebackhide__ = True
        target = "" if index is None else _target(index)
        return _kept(function, Reader, id, name, {**facts, "index": target})

    return declare


def record_of(found: object) -> Any:
    """Return the record that stands beside a function or class itself, None where there is none."""
    return getattr(found, "__dict__", {}).get(RECORD)


def _in_words(made: Callable[..., Any]) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", made.__name__).lower()


def _kept(made: Declared, kind: type, id: str, name: str, facts: Mapping[str, Any]) -> Declared:  # noqa: A002
    word = f"@{kind.__name__.lower()}"
    allowed = {field.name for field in fields(kind)} - _DERIVED - {"id"}
    for fact in facts:
        if fact not in allowed:
            raise StbenchError(
                f"{_target(made)}: {word} knows no {fact!r}{nearest(fact, allowed)}; "
                f"it takes {', '.join(sorted(allowed))}"
            )
    # Absent under `python -OO`: the index has it all the same.
    summary = (inspect.getdoc(made) or "").partition("\n")[0].removesuffix(".")
    try:
        record = kind(id=id, name=name, summary=summary, target=_target(made), **facts)
    except TypeError as error:
        raise StbenchError(f"{_target(made)}: {word}: {str(error).partition('() ')[2]}") from None
    setattr(made, RECORD, record)
    return made


def _keywords(function: Callable[..., Any], word: str, first: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the keyword-only arguments of `function` with their defaults."""
    __tracebackhide__ = True
    parameters = inspect.signature(function).parameters
    if tuple(parameters)[: len(first)] != first:
        raise StbenchError(
            f"{_target(function)}: @{word}: the first arguments are {', '.join(first)}, "
            f"not {', '.join(tuple(parameters)[: len(first)]) or 'none'}"
        )
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _known(
    function: Callable[..., Any], word: str, key: str, names: Iterable[str], given: Mapping[str, Any]
) -> None:
    __tracebackhide__ = True
    for name in names:
        if name not in given:
            raise StbenchError(
                f"{_target(function)}: @{word}: {key} names {name!r}, which is no keyword-only argument of "
                f"the function{nearest(name, given)}"
            )


def _defaults(
    function: Callable[..., Any], word: str, names: Iterable[str], given: Mapping[str, Any]
) -> dict[str, Any]:
    __tracebackhide__ = True
    names = tuple(names)
    _known(function, word, "params" if word == "metric" else "reasons", names, given)
    for name in names:
        if given[name] is inspect.Parameter.empty:
            raise StbenchError(f"{_target(function)}: @{word}: the parameter {name!r} needs a default")
    return {name: given[name] for name in names}


def _target(made: Callable[..., Any]) -> str:
    return f"{made.__module__}:{made.__qualname__}"
