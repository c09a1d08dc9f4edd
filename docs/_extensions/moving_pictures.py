"""Save what an example shows as pictures of the gallery: moving ones, and figures."""

import re

from docutils import nodes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from stst.report.moving import MovingPicture


def save_moving_pictures(block, block_vars, gallery_conf):
    """Save the value of a block's last line, if it is a `MovingPicture` or a `Figure`.

    The figures of the package are not those of pyplot, which sphinx-gallery finds itself.
    """
    values = block_vars["example_globals"]
    shown = values.get("___")
    # A block without a value still has that of the block before.
    if shown is values.get("__shown") or not isinstance(shown, MovingPicture | Figure):
        return ""
    values["__shown"] = shown
    path = next(block_vars["image_path_iterator"])
    if isinstance(shown, Figure):
        shown.savefig(path)
        words = shown.get_suptitle() or ", ".join(axes.get_ylabel() for axes in shown.axes)
    else:
        path = path.removesuffix(".png") + ".webp"
        shown.save(path)
        words = ", ".join(shown.clips)
    return figure_rst([path], gallery_conf["src_dir"], words)


def _get_sg_image_scraper():
    """Name the scraper to sphinx-gallery."""
    return save_moving_pictures


def setup(app):
    """Name the thumbnails of the gallery, which sphinx-gallery leaves without alt text."""
    app.connect("doctree-resolved", name_thumbnails)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def name_thumbnails(app, doctree, docname):
    """Give each thumbnail the title of its example."""
    for image in doctree.findall(nodes.image):
        if match := re.search(r"sphx_glr_(\w+)_thumb\.", image["uri"]):
            image["alt"] = app.env.titles[f"gallery/{match[1]}"].astext()
