"""What canvases to draw on have in common, whatever is drawn: scripts for `component`, each of
which says what it needs of those loaded with it; and a style."""

from pathlib import Path

HERE = Path(__file__).parent
MARKS = HERE / "marks.js"  # sets of pixels
DRAWER = HERE / "drawer.js"  # who draws: the tool, the step in the making, undo
VIEW = HERE / "view.js"  # zoom and pan
GESTURES = HERE / "gestures.js"  # mouse, touch, pen and keys
STYLE = HERE / "canvas.css"
