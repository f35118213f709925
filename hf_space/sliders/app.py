"""semedit Sliders as a Space: `python app.py`, beside what scripts/space.py puts here."""

import os

import sliders

os.environ.setdefault("SEMEDIT_WEIGHTS", "hub")  # as published; else those that came along
sliders.tab.face()  # the networks are there before the first visitor
sliders.main()
