"""Pages of HTML that hold all that they show."""

from __future__ import annotations

import math
from base64 import b64encode

from jinja2 import Environment, PackageLoader, StrictUndefined


def html(template: str, **values: object) -> str:
    """Fill in a template; pictures are held as base64, numbers have three digits."""
    jinja = Environment(
        loader=PackageLoader("stst.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["base64"] = lambda data: b64encode(data).decode()
    jinja.filters["number"] = lambda x: f"{x:.3g}" if math.isfinite(x) else "\N{EN DASH}"
    return jinja.get_template(template).render(**values)
