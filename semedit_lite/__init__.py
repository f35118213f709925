"""semedit: edit pictures by meaning.

Paint a layout of named regions and get a photograph that obeys it. The package holds the papers'
networks in plain PyTorch (`models`), what trains and scores them (`training`, `evaluation`), the
editors built on them (`editing`) and the canvas people paint on (`ui`). Two shapes run through
all of it: an image is a float tensor (B, 3, H, W) in [-1, 1], sRGB; a layout is an integer tensor
(B, H, W) of class ids.
"""

__version__ = "0.1.0"
