"""JSON Schema (draft 2020-12) of task files, short and long forms, for editors.

It is made from the model and the registry. It says what a file may look like; contradictions
between keys are found by :mod:`pytest_stbench.spec.validate` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.registry import SIMPLE
from pytest_stbench.spec.extends import FRAGMENT_SUFFIX, SHIPPED
from pytest_stbench.spec.part import FILE
from pytest_stbench.spec.shorthand import CHECK_KEYS
from pytest_stbench.spec.task_model import task_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.registry import Registry

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
ID_NAME: Schema = {"pattern": "^[A-Za-z0-9_.]+$"}


def json_schema(registry: Registry) -> Schema:
    """Return the schema of a task file whose names are those of `registry`.

    What is required is asked only of files without ``extends``: a fragment may bring it.
    """
    schema = _with_bounds(task_model(registry).model_json_schema())
    definitions = schema.pop("$defs")
    keys = schema["properties"]
    keys["family"] = _enum(registry.families.names, keys["family"])
    keys["model"]["anyOf"][0]["pattern"] = "^[A-Za-z_][A-Za-z0-9_]*$"
    fragment = FRAGMENT_SUFFIX.replace(".", r"\.")
    keys["extends"] = _one_or_list({"type": "string", "pattern": f"^{SHIPPED}.|{fragment}$"})
    keys["splits"] = _one_or_list(
        _named({record.name: record.params for record in registry.splits}), keys["splits"]
    )
    metrics = {record.name: record.params for record in registry.metrics}
    keys["metrics"] = _one_or_list(_named(metrics), keys["metrics"])
    keys["primary"] = {"enum": [*metrics, None]}
    baselines = list(dict.fromkeys((SIMPLE, *registry.baselines.names)))
    keys["baselines"] = _one_or_list({"enum": baselines}, keys["baselines"])
    keys["seeds"] = _one_or_list(keys["seeds"]["items"], keys["seeds"])
    keys["marks"] = _one_or_list(keys["marks"]["items"], keys["marks"])
    keys["checks"] = _checks({record.name: record.params for record in registry.checks}, keys["checks"])
    for name in ("gates", "xfail"):
        keys[name]["propertyNames"] = {"enum": list(metrics)}
    keys["datasets"]["propertyNames"] = ID_NAME
    _edit_definitions(definitions, registry)
    required = schema.pop("required")
    of_dataset = definitions["DatasetSpec"].pop("required")
    return {
        "$schema": DIALECT,
        **schema,
        "title": "pytest-stbench task file",
        "if": {"not": {"required": ["extends"]}},
        "then": {
            "required": required,
            "properties": {"datasets": {"additionalProperties": {"required": of_dataset}}},
        },
        "$defs": definitions,
    }


def _with_bounds(schema: Any) -> Any:
    """Return `schema` with every bound under its JSON Schema keyword.

    pydantic leaves its own (``ge``) where a bound stands behind a validator inside a union or list.
    """
    if isinstance(schema, list):
        return [_with_bounds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    typed = "type" in schema
    return {BOUNDS.get(key, key) if typed else key: _with_bounds(child) for key, child in schema.items()}


def _edit_definitions(definitions: Schema, registry: Registry) -> None:
    dataset = definitions["DatasetSpec"]["properties"]
    dataset["source"] = _enum(registry.readers.names, dataset["source"])
    length: Schema = {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^uns:.+"}]
    }
    unit = [*length["anyOf"], {"const": FILE}]
    definitions["ScaleSpec"]["properties"]["um_per_px"]["anyOf"] = unit
    definitions["ImageSpec"]["properties"]["um_per_px"]["anyOf"] = [*length["anyOf"], {"type": "null"}]
    dataset["scale"]["anyOf"] += unit
    geometry = definitions["BinSpec"]["properties"]["geometry"]["enum"]
    short_bin: list[Schema] = [{"enum": geometry}, {"type": "number", "exclusiveMinimum": 0}]
    dataset["bin"]["anyOf"] += short_bin
    definitions["VariantSpec"]["properties"]["bin"]["anyOf"] += short_bin
    preprocess = definitions["PreprocessSpec"]["properties"]
    select = definitions["GenesSpec"]["properties"]["select"]["enum"]
    preprocess["genes"] = {"anyOf": [{"enum": select}, {"$ref": "#/$defs/GenesSpec"}]}
    preprocess["variants"]["propertyNames"] = ID_NAME
    preprocess["variants"] = {"anyOf": [{"const": "ablate"}, preprocess["variants"]]}
    definitions["VariantSpec"]["properties"]["genes"]["anyOf"].append({"enum": select})
    references = definitions["BeatsSpec"]["properties"]["baselines"]["anyOf"]
    names = list(dict.fromkeys((SIMPLE, *registry.baselines.names)))
    references[0]["items"] = {"enum": names}
    references.append({"enum": names})
    for name in ("SplitSpec", "MetricSpec", "CheckSpec"):
        del definitions[name]


def _enum(names: Iterable[str], old: Schema) -> Schema:
    return {**{key: old[key] for key in ("title", "description") if key in old}, "enum": list(names)}


def _one_or_list(item: Schema, old: Schema | None = None) -> Schema:
    """Return the schema of one `item` or a list of them; title and default are those of `old`."""
    kept = {key: value for key, value in (old or {}).items() if key in ("title", "default", "description")}
    return {**kept, "anyOf": [item, {"type": "array", "items": item}]}


def _params(names: Iterable[str]) -> Schema:
    return {"type": "object", "properties": {name: {} for name in names}, "additionalProperties": False}


def _named(records: Mapping[str, Mapping[str, Any]]) -> Schema:
    """Return the schema of a name, ``{NAME: {PARAMETERS}}`` or ``{name: NAME, params: {..}}``."""
    short = {
        "type": "object",
        "properties": {
            name: {"anyOf": [_params(params), {"type": "null"}]} for name, params in records.items()
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    long = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "params": _params(params)},
            "required": ["name"],
            "additionalProperties": False,
        }
        for name, params in records.items()
    ]
    return {"anyOf": [{"enum": list(records)}, short, *long]}


def _checks(records: Mapping[str, Mapping[str, Any]], old: Schema) -> Schema:
    """Return the schema of the changes to checks: thresholds beside reason, owner, until, waive."""
    types: Schema = {
        "waive": {"type": "boolean"},
        "reason": {"type": ["string", "null"]},
        "owner": {"type": ["string", "null"]},
        "until": {"type": ["string", "null"], "format": "date"},
    }
    own = {key: types[key] for key in CHECK_KEYS}
    changes = {}
    for name, params in records.items():
        change = _params(params)
        change["properties"] |= {**own, "params": _params(params)}
        changes[name] = change
    return {**old, "properties": changes, "additionalProperties": False}
