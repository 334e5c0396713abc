"""How Sphinx builds these pages: `make docs`, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # for from_code.py beside this file, and for the package

from mpikernel import __version__  # noqa: E402  (only now can it be found)

project = "mpikernel"
author = "the mpikernel developers"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mpikernel {release}"
html_copy_source = False

default_role = "code"  # docstrings put names between single backticks
nitpicky = True  # a reference that leads nowhere is a warning, and a warning is an error

add_module_names = False
autodoc_typehints = "none"  # docstrings say what is meant
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

nitpick_ignore_regex = [
    # Python's own, whose inventory is not asked for
    ("py:.*", r"(Exception|ExceptionGroup|concurrent\..*|os\..*|multiprocessing\..*|Broken\w+|[A-Z]\w*Error)"),
    ("py:exc", r".* .*"),  # "Raises:" may hold a sentence
]
