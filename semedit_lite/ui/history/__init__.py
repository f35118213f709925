"""The history strip: every step of a work as a small picture, a row a branch; a click goes there.

A `gr.HTML` component. What Python gives it are the steps that the page lacks (`encode_steps`), what
it sends back is how many it has and, with its event `input`, the step that was chosen
(`chosen_step`). It also keeps the work's key for its browser tab, so that a reload finds it again
(`remembered`): another tab is another visitor, and no address that people share carries it.
"""

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE_FINE
from semedit_lite.ui.component import component, data_url

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
THUMBNAIL = 64  # pixels of a small picture: more than is shown, for finer screens
LONGEST = 40  # letters of what a file calls an operation that is not known here
GONE = "This step is no longer kept here; choose another, or open the file that you saved."


def history_strip(storage: str, **options: Any) -> "gr.HTML":
    """A strip whose work is remembered under the name `storage`; `options` are those of
    `component`."""
    return component(HERE, ["history.js"], storage=storage, **options)


def remembered(storage: str) -> str:
    """What an event runs on the page to give Python, as its first input, the key of the work that
    this tab had, or nothing; null where it has been asked for already since the page was loaded."""
    name = json.dumps(storage)
    return f"""(_, ...others) => {{
      const asked = (window.semedit ??= new Set());
      if (asked.has({name})) return [null, ...others];
      asked.add({name});
      try {{ return [sessionStorage.getItem({name}) ?? "", ...others]; }}
      catch (error) {{ return ["", ...others]; }}
    }}"""


def encode_steps(
    history: History, current: Document, *, name: str, key: str | None, has: str = ""
) -> str:
    """What a strip that sent `has` lacks of a history, and which step is marked.

    `name` is that of the history, `key` that of the work, None where a reload begins anew.
    """
    known, number = _sent(has)[:2]
    first = number if known == name else 0
    numbers = {document: k for k, document in enumerate(history.steps)}
    steps = [
        {
            "parent": None if document.parent is None else numbers[document.parent],
            "name": describe(document),
            "picture": thumbnail(document),
        }
        for document in islice(history.steps, first, None)
    ]
    value = {"key": key, "name": name, "first": first, "steps": steps}
    return json.dumps(value | {"current": numbers[current]})


def chosen_step(history: History, *, name: str, has: str) -> Document:
    """The step that was chosen on a strip; InputError where it is none of this history."""
    known, _, number = _sent(has)
    if known != name or number is None or number >= len(history.steps):
        raise InputError(GONE)
    return history.steps[number]


def _sent(has: str) -> tuple[str, int, int | None]:
    """What a strip sends: the history's name, how many of its steps it has, which was chosen."""
    try:
        value = json.loads(has)
        known, count, chosen = value["name"], value["has"], value.get("chosen")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return "", 0, None
    numbers = all(type(n) is int and n >= 0 for n in (count, 0 if chosen is None else chosen))
    return (known, count, chosen) if isinstance(known, str) and numbers else ("", 0, None)


def thumbnail(document: Document) -> str:
    """The data URL of a small WebP, about 2 KB."""
    size = (THUMBNAIL, THUMBNAIL)
    return data_url(document.picture.resize(size, Image.Resampling.BOX), "WEBP")


def describe(document: Document) -> str:
    """What a step did, in a few words."""
    operation, parent = document.operation, document.parent
    if parent is None:
        if operation.get("tool") == "generate":
            return f"Face {operation.get('seed')}"[:LONGEST]
        return "Opened"
    if operation.get("tool") == "sliders":
        return _moved(parent.operation, operation)
    if operation.get("tool") == "repaint parts":
        return _named(operation.get("classes")) or "Parts painted"
    if operation.get("tool") != "paint":
        return str(operation.get("tool"))[:LONGEST].capitalize()
    if painted := _painted(parent, document):
        return f"{' and '.join(painted)} painted".capitalize()
    before = {"style": {"kind": "own"}, "composite": True} | parent.operation
    if operation.get("style") != before["style"]:
        return _style(operation.get("style"))
    if operation.get("model") != before.get("model", operation.get("model")):
        return f"Model {operation.get('model')}"[:LONGEST]
    return "Kept where unchanged" if operation.get("composite") else "All of it painted"


def _moved(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The slider that was moved, or how many were, and whether that was refined."""
    given = [operation.get("values") for operation in (before, after)]
    old, new = (values if isinstance(values, dict) else {} for values in given)
    moved = [name for name in {**old, **new} if old.get(name, 0) != new.get(name, 0)]
    words = "Sliders"
    if len(moved) == 1:
        at = new.get(moved[0], 0)
        shown = f"{at:g}" if type(at) in (int, float) else "moved"
        words = f"{moved[0].replace('-', ' ').capitalize()[: LONGEST - 20]} {shown[:8]}"
    elif not any(new.values()):
        words = "Sliders at 0"
    elif moved:
        words = f"{len(moved)} sliders"
    return f"{words}, refined" if after.get("refine") else words


def _named(classes: Any) -> str:
    """The one or two parts that were painted first, of those that a file names."""
    classes = classes if isinstance(classes, list) else []
    names = [FACE_FINE.titles[FACE_FINE.id(k)] for k in classes if k in FACE_FINE.classes]
    return f"{' and '.join(names[:2])} painted".capitalize() if names else ""


def _painted(before: Document, after: Document) -> list[str]:
    """The one or two classes that most of what was changed now has."""
    changed = after.layout[after.layout != before.layout]  # (N,)
    classes, counts = changed.unique(return_counts=True)
    largest = classes[counts.argsort(descending=True)][:2].tolist()
    return [FACE_FINE.titles[k] if k < len(FACE_FINE) else "nothing" for k in largest]


def _style(style: Any) -> str:
    kind = style.get("kind") if isinstance(style, dict) else None
    if kind == "seed":
        return f"Style {style.get('seed')}"[:LONGEST]
    return {"own": "Its own style", "photo": "Another photo's style"}.get(
        str(kind), "Another style"
    )
