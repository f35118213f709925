"""What canvases to draw on have in common, whatever is drawn, for `component`: scripts, each of
which says what it needs of those loaded with it; a style; and pieces of their pages."""

from pathlib import Path

HERE = Path(__file__).parent
MARKS = HERE / "marks.js"  # sets of pixels
DRAWER = HERE / "drawer.js"  # who draws: the tool, the step in the making, undo
VIEW = HERE / "view.js"  # zoom and pan
CONTROLS = HERE / "controls.js"  # tools, sizes, steps and zoom, and what single keys do
GESTURES = HERE / "gestures.js"  # mouse, touch, pen and keys
