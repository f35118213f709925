"""semedit Sketch as a Space: `python app.py`, beside what scripts/space.py puts here."""

import os

import sketch

os.environ.setdefault("SEMEDIT_WEIGHTS", "hub")  # as published; else those that came along
sketch.editor()  # the networks are there before the first visitor
sketch.tab.face()
sketch.main()
