"""The command ``stbench`` in this process, its two streams apart."""

from __future__ import annotations

import inspect

from click.testing import CliRunner

# click 8.1 puts both streams into one unless it is told not to; later versions know of no such thing.
APART = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
