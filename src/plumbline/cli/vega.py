"""The drawing library of the pages that ``dvc plots`` writes, so that they open offline.

DVC's own page loads Vega from a network; `.dvc/plots.html` loads the file written here instead. It
is made from the wheel of vl-convert and kept out of git.
"""

from __future__ import annotations

from pathlib import Path

from plumbline import artifacts, names

FILE = names.WORK / "vega.js"


def write(root: Path) -> Path:
    """Write Vega, Vega-Lite and Vega-Embed as one script below the work tree; return its path."""
    import vl_convert

    # A scope of its own: DVC's page declares variables beside it.
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    script = f"(() => {{\n{library}\n}})();\n"
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_text(path, script)
    return path
