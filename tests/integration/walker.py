"""Everything that can be reached from an object, memory of other languages included."""

from __future__ import annotations

import gc
import sys
import types
import weakref

import numpy as np
import pyarrow as pa
import pytest

SKIPPED = (type, types.ModuleType, types.BuiltinFunctionType, types.FrameType, types.CodeType)
TRAVERSED = 1 << 14  # Py_TPFLAGS_HAVE_GC
SEEN_WHOLE = {
    *(object, type(None), bool, int, float, complex, str, bytes, bytearray, range, np.ndarray, pa.Buffer),
    *(type(...), type(NotImplemented)),
}
"""Types that the garbage collector does not traverse and that are looked at whole, or hold nothing."""
OF_PANDAS = ("pandas._libs.hashtable", "pandas._libs.index")
"""Hash tables of an index: of the values of the index alone, which are looked at themselves."""


def everything(root):
    """Yield all objects that can be reached from `root`, without the globals of modules.

    An object into which neither the garbage collector nor this function can look is a failure: it
    may hold anything.
    """
    elsewhere = {
        id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)
    }
    elsewhere.add(id(sys.modules))
    waiting, seen, kept = [root], set(), []
    while waiting:
        found = waiting.pop()
        if id(found) in seen or id(found) in elsewhere or isinstance(found, SKIPPED):
            continue
        seen.add(id(found))
        kept.append(found)  # what is made on the way keeps its address
        yield found
        waiting.extend(gc.get_referents(found))
        waiting.extend(inside(found))


def inside(found):
    """Return what an object holds that the garbage collector does not see."""
    if isinstance(found, weakref.ref):
        return [found()]
    if isinstance(found, memoryview):
        return [found.obj]
    if isinstance(found, np.ndarray):
        named = [found[name] for name in found.dtype.names or ()]
        return [found.base, *named, *(found.ravel().tolist() if found.dtype.kind in "OT" else [])]
    if isinstance(found, pa.ChunkedArray):
        return found.chunks
    if isinstance(found, pa.Table | pa.RecordBatch):
        return [*found.columns, found.schema]
    if isinstance(found, pa.Array):
        # Whole buffers: a part of an array keeps the memory of all of it.
        own = [found.dictionary] if isinstance(found, pa.DictionaryArray) else []
        return [*own, *(buffer for buffer in found.buffers() if buffer is not None)]
    if isinstance(found, pa.Schema | pa.Field):
        return [found.metadata, *(found if isinstance(found, pa.Schema) else [found.name, found.type])]
    if isinstance(found, pa.Scalar):
        return [found.as_py()]
    kind = type(found)
    known = kind in SEEN_WHOLE or isinstance(found, np.generic | np.dtype | pa.DataType)
    if not kind.__flags__ & TRAVERSED and not known and kind.__module__ not in OF_PANDAS:
        pytest.fail(f"cannot look into {kind.__module__}.{kind.__qualname__}: {found!r:.80}")
    parts = []
    for name in ("__dict__", "__self__", "__closure__", "__wrapped__", "__func__"):
        part = getattr(found, name, None)
        parts.extend(part.values() if isinstance(part, dict) else [] if part is None else [part])
    parts.extend(getattr(found, str(name), None) for name in getattr(kind, "__slots__", ()))
    return parts
