"""semedit Paint as a Space: `python app.py`, beside what scripts/space.py puts here."""

import os

import paint

os.environ.setdefault("SEMEDIT_WEIGHTS", "hub")  # as published; else those that came along
for model in paint.MODELS:  # the networks are there before the first visitor
    paint.editor(model)
paint.tab.face()
paint.main()
