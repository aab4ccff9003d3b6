"""Configuration of the documentation site, which `make docs` builds in build/docs/html.

Pages are Markdown that GitHub shows too. What can go stale is derived while the site is built: options of models,
settings, commands, results and the reference of the API (docs/_extensions).
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tfmtl  # noqa: E402

project = "tfmtl"
author = copyright = "The tfmtl authors"
release = version = tfmtl.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "code_links",
    "repository_links",
    "settings_pages",
    "model_pages",
    "command_pages",
    "result_tables",
    "accessible",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_extensions", "figures"]
root_doc = "index"

nb_execution_mode = "off"
# Notebooks keep a picture of each chart beside its Vega-Lite data, which needs scripts.
suppress_warnings = ["mystnb.unknown_mime_type"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"tfmtl {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"  # Formulas need neither scripts nor fonts from elsewhere.
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = False

default_role = "literal"  # Docstrings put code in single backticks.
add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style"), ("References", "notes_style")]

# Types of other libraries, whose pages need a network, and types and helpers that are not a part of the public API.
nitpick_ignore_regex = [
    (r"py:.*", r"(keras|tf|tensorflow|np|numpy|pd|pandas|grpc|aio|collections|typing|types|pathlib|dataclasses)\..*"),
    (r"py:.*", r"(abc|os|ssl|threading|functools|datetime|google)\..*"),
]
nitpick_ignore = [  # Type variables, and classes that only appear in annotations.
    ("py:class", "tfmtl.config.conversion.Kind"),
    ("py:class", "tfmtl.models.core.late_labels.LateLabels"),
    ("py:class", "tfmtl.models.registry._Model"),
    ("py:class", "tfmtl.models.escm2_ips.Counterfactual"),
    ("py:class", "tfmtl.models.options.info.ModelInfo"),
    ("py:class", "tfmtl.training.stage_recovery.StageRecovery"),
]
