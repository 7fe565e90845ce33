"""The site of this documentation: `sphinx-build -W docs site`."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def names_of(module: str) -> dict[str, str]:
    """Return what a module offers, also what it loads on first use, and which of it are classes."""
    loaded = importlib.import_module(module)
    own = [name for name, value in vars(loaded).items() if getattr(value, "__module__", "") == module]
    offered = sorted(getattr(loaded, "__all__", ())) or [name for name in own if not name.startswith("_")]
    found = {name: getattr(loaded, name) for name in offered}
    kinds = {name: "class" if inspect.isclass(value) else "function" for name, value in found.items()}
    return {name: kind for name, kind in kinds.items() if callable(found[name])}


project = "pytest-stbench"
release = version = metadata.version(project)
html_title = project

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",  # after napoleon, whose fields it fills in
    "sphinx_copybutton",
]
exclude_patterns = [".*", "**/.*"]  # what notebooks and runs of the examples leave
templates_path = ["_templates"]

myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
# Commands of a notebook are those of the environment that builds the site, whether or not it is active.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

listed = re.findall(r"^   (pytest_stbench\S*)$", Path(__file__).with_name("api.md").read_text("utf-8"), re.M)
autosummary_context = {"names": {module: names_of(module) for module in listed}}
napoleon_google_docstring = False
napoleon_include_init_with_doc = False
autodoc_member_order = "bysource"
default_role = "literal"
nitpicky = True
linkcheck_timeout, linkcheck_retries, linkcheck_anchors = 10, 1, False
suppress_warnings = [
    "sphinx_autodoc_typehints.forward_reference",  # hints that import in a circle stay text
]

html_theme = "sphinx_book_theme"
html_theme_options = {
    "navigation_with_keys": False,
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False


def front_page_and_changes(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead links to files above this folder to the pages that include them."""
    del app, name
    for above, here in (("CHANGELOG.md", "changelog.md"), ("README.md", "index.md")):
        source[0] = source[0].replace(f"](../{above}", f"]({here}")


def one_text(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from taking what stands before a colon in the docstring of an attribute for its type."""
    del app, name, value, options
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def known_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Lead a name to its page, which may say `a.Name` of what is defined as `a.b.Name`.

    What has no page stays text where it can be imported: no inventory of another package is fetched, so that
    the site builds offline, and a name that does not exist is a warning.
    """
    if node.get("refdomain") != "py":
        return None
    *modules, last = node["reftarget"].split(".")
    domain = env.domains["py"]
    for end in range(len(modules) - 1, 0, -1):
        target = ".".join([*modules[:end], last])
        if target in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)
    try:
        pkgutil.resolve_name(node["reftarget"] if modules else f"builtins.{last}")
    except (ImportError, AttributeError, ValueError):
        return None
    return content


def setup(app: Sphinx) -> None:
    """Connect what stands above."""
    app.connect("source-read", front_page_and_changes)
    app.connect("autodoc-process-docstring", one_text, priority=400)
    app.connect("missing-reference", known_name)
