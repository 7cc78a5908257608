"""How Sphinx builds the manual: MyST pages, autodoc, and the tables that the code itself gives."""

import sys
from pathlib import Path

from multistore import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "multistore"
author = "The multistore developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "reference_directives",
]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"multistore {version}"
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
