"""Sliders in groups: a `gr.HTML` component and the values it exchanges.

What Python gives it (`encode_sliders`) are the sliders there are, how they stand, and why they
cannot be moved just now, each where it changes. What it sends (`decode_sliders`) is how all of them
stand, with one of its events: `input` while one is dragged, so often that only the latest is worth
an answer; `release` when it has come to rest, or `submit` where the edit is then to be refined;
`download` where the file of one is wanted (`wanted_slider`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semedit_lite.errors import InputError
from semedit_lite.ui.component import component

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
REFINE = (0, 10, 30)  # steps of refinement on offer
NO_VALUES = 'Sliders are sent as {"values": {"smile": 1.0}, "refine": 0}; both may be left out.'


@dataclass(frozen=True)
class Slider:
    """One slider; 0 changes nothing."""

    name: str
    title: str
    low: float = -2.0
    high: float = 2.0
    own: bool = False  # the visitor's, who may take its file


def sliders(label: str = "Sliders", **options: Any) -> "gr.HTML":
    """Sliders, none at first; `options` are those of gr.HTML: elem_id, visible, ..."""
    return component(HERE, ["sliders.js"], label=label, title=label, refine=REFINE, **options)


def encode_sliders(
    groups: Mapping[str, Sequence[Slider]] | None = None,
    at: Mapping[str, float] | None = None,
    busy: str | None = None,
) -> str:
    """What shows sliders by their groups, sets all of them (those that `at` lacks to 0), and says
    why they cannot be moved ("" where they can); None leaves it as it is."""
    value: dict[str, Any] = {}
    if groups is not None:
        value["groups"] = [
            {"title": title, "sliders": [asdict(slider) for slider in those]}
            for title, those in groups.items()
            if those
        ]
    if at is not None:
        value["at"] = dict(at)
    if busy is not None:
        value["busy"] = busy
    return json.dumps(value)


def decode_sliders(value: Any, known: Mapping[str, Slider]) -> tuple[dict[str, float], int]:
    """How the sliders stand, those at 0 left out, and how many steps of refinement are wanted.

    `value` is the component's, or what an API client sends in its place; InputError where that is
    neither, names no slider that is `known`, or sets one to where it does not go.
    """
    sent = _sent(value)
    values, refine = sent.get("values", {}), sent.get("refine", 0)
    if not isinstance(values, dict):
        raise InputError(NO_VALUES)
    for name, at in values.items():
        if name not in known:
            names = ", ".join(known) or "none yet"
            raise InputError(f"There is no slider '{name[:40]}'; there are {names}.")
        low, high = known[name].low, known[name].high
        if type(at) not in (int, float) or not low <= at <= high:  # NaN is not, either
            raise InputError(f"The slider '{name}' goes from {low:g} to {high:g}.")
    if type(refine) is not int or refine not in REFINE:
        raise InputError(f"An edit is refined by {', '.join(map(str, REFINE))} steps.")
    return {name: float(at) for name, at in values.items() if at}, refine


def wanted_slider(value: Any) -> str:
    """The name of the slider whose file is wanted."""
    name = _sent(value).get("wanted")
    if not isinstance(name, str):
        raise InputError('The slider whose file is wanted is sent as {"wanted": "smile"}.')
    return name


def _sent(value: Any) -> dict[str, Any]:
    try:
        sent = json.loads(value or "{}") if isinstance(value, str) else value
    except (RecursionError, ValueError):
        raise InputError(NO_VALUES) from None
    if not isinstance(sent, dict):
        raise InputError(NO_VALUES)
    return sent
