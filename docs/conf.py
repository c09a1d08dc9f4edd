"""Build the site: ``sphinx-build -W --keep-going docs OUT`` (extra ``docs``)."""

import os
import sys
from pathlib import Path

import stst

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before an example imports torch

project = "stst"
author = "The stst developers"
copyright = f"2026, {author}"
version = release = stst.__version__

extensions = [
    "generated_reference",
    "moving_pictures",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.zip"]
language = "en_GB"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "error"  # a warning in a notebook ends the build

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc says the types
autodoc_member_order = "groupwise"
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": [str(ROOT / "examples" / "gallery")],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "image_scrapers": ("moving_pictures", "matplotlib"),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"MovingPicture|Axes|Figure|matplotlib",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "plot_gallery": "True",
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"stst {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "search_bar_text": "Search",
}
