"""The Studio: all tools of semedit on one page, a tab each.

python demos/studio.py [--port 7860] [--no-browser]
"""

import argparse
import sys

import gradio as gr
import paint
import sketch
import sliders

from semedit_lite.errors import InputError
from semedit_lite.ui import app

# The first is seen first.
TABS = {"Paint": paint.build, "Sketch": sketch.build, "Sliders": sliders.build}


def build():
    """The page with all tabs."""
    with app.blocks("semedit Studio") as page:
        app.masthead("Studio", "Edit pictures by meaning.")
        for k, (name, build_tab) in enumerate(TABS.items()):
            with gr.Tab(name) as tab:
                build_tab(tab.select if k else page.load)
    return page


def main(port: int = app.PORT, browser: bool = True) -> None:
    """Serves the Studio until it is stopped."""
    app.launch(build(), port, browser=browser)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=app.PORT)
    parser.add_argument("--no-browser", dest="browser", action="store_false")
    try:
        main(**vars(parser.parse_args()))
    except InputError as error:
        sys.exit(f"semedit: {error}")
