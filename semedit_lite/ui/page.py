"""The components that all tabs have on a page, and which events of theirs do what.

A tab makes them in the order in which they shall stand, together with its own, and connects them at
the end:

    part = Page(tab)
    with gr.Row():
        part.openers()
    ...
    part.connect(page, settings)
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from semedit_lite.ui import app
from semedit_lite.ui.app import sentences
from semedit_lite.ui.chooser import chooser
from semedit_lite.ui.history import history_strip, remembered
from semedit_lite.ui.painter import painter
from semedit_lite.ui.scorecard import scorecard
from semedit_lite.ui.session import Session
from semedit_lite.ui.tab import FIRST, Tab

PICTURE = {"interactive": False, "format": "png", "buttons": [], "elem_classes": ["picture"]}
BUTTON = {"size": "md", "min_width": 110}
QUIET = {"show_progress": "hidden", **app.MODEL}
NOW = {"api_visibility": "private", "show_progress": "hidden"}  # beside the models
PRIVATE = {"api_visibility": "private", **QUIET}


def strip(pictures: Sequence[Path], **options: Any) -> gr.Gallery:
    """Small pictures in a row, to choose one."""
    return gr.Gallery(
        [str(path) for path in pictures],
        show_label=False,
        elem_classes=["strip"],
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        **options,
    )


def inline(value: int, **options: Any) -> gr.Number:
    """A seed, its name before it."""
    return gr.Number(value, precision=0, min_width=120, elem_classes=["inline"], **options)


class Page:
    """A tab on a page."""

    def __init__(self, tab: Tab):
        self.tab = tab
        self.session = gr.State(Session())

    # Components, in the order in which most tabs have them

    def openers(self, *between: Component) -> None:
        """What opens a face; `between` the buttons and its number stand those of the tab."""
        self.photo = gr.UploadButton(
            "Upload a photo", variant="primary", elem_id=self.id("photo"), **BUTTON
        )
        self.new = gr.Button("New face", **BUTTON)
        for component in between:
            component.render()
        self.seed = inline(FIRST, label="Face")

    def chooser(self) -> None:
        """A photo on which the face is chosen."""
        with gr.Column(visible=False) as self.choice:
            self.faces = chooser(elem_id=self.id("faces"))

    def painter(self, **options: Any) -> None:
        """The layout."""
        self.canvas = painter(self.tab.labels, self.tab.size, elem_id=self.id("canvas"), **options)

    def history(self, *before: Component) -> None:
        """The steps of the work; `before` the buttons stand those of the tab."""
        self.strip = history_strip(self._storage, label="History", elem_id=self.id("history"))
        with gr.Row(elem_classes=["tight"]):
            for component in before:
                component.render()
            self.save_work = gr.Button("Save work", **BUTTON)
            self.work_in = gr.UploadButton("Open work", elem_id=self.id("open-work"), **BUTTON)

    def picture(self) -> None:
        """The result."""
        self.result = gr.Image(label="Result", elem_id=self.id("result"), **PICTURE)

    def comparison(self, hint: str, *between: Component) -> None:
        """The face before, what the tab shows `between`, and the scorecard, which says at first
        how to begin."""
        with gr.Row(elem_classes=["tight", "top"]):
            self.before = gr.Image(
                label="Before", elem_id=self.id("before"), min_width=120, **PICTURE
            )
            for component in between:
                component.render()
            self.scores = scorecard(self.tab.labels, hint, min_height=120, min_width=170)

    def another(self) -> None:
        """The way to another face of a photo."""
        self.again = gr.Button("Choose another face", visible=False, **BUTTON)

    def examples(self, title: str) -> None:
        """Faces to begin with."""
        gr.HTML(title, elem_classes=["title"])
        self.gallery = strip(self.tab.examples, elem_id=self.id("examples"))

    # Events

    def connect(
        self, arrive: Callable, settings: Sequence[Component], beside: Sequence[Component] = ()
    ) -> None:
        """What the components do. `arrive` is the event with which the tab is first seen,
        `settings` and `beside` are the components for what the tab calls so."""
        tab, session, seed, again = self.tab, self.session, self.seed, self.again
        face = [self.canvas, self.before, self.result, self.scores, *beside]
        choosing = [self.faces, self.choice]
        asked, shown = [*settings, session], [*face, session]
        restored = [*settings, seed]
        self.at_step = [self.canvas, self.result, self.scores, *beside, *asked]
        reading = {"show_progress": "full", **app.LONG} if tab.slow else {}
        waiting = {"show_progress": "minimal", "show_progress_on": self.result} if tab.slow else {}
        self.step(
            arrive,
            tab.start,
            [self.strip, session],
            [*restored, again, *shown],
            js=remembered(self._storage),
            queue=False,
            **NOW | waiting,
        )
        self.open(seed.submit, tab.generate, [seed, *asked], shown)
        self.open(self.new.click, tab.random_face, asked, [*shown, seed])
        self.step(self.gallery.select, tab.example, asked, [*shown, seed], **PRIVATE)
        own = self.open(
            self.photo.upload,
            tab.upload,
            [self.photo, *asked],
            [*shown, *choosing],
            api_name=self.api("open"),
            **reading,
        )
        own.failure(tab.missed, [self.photo, session], [*choosing, again, session], **PRIVATE)
        own.success(  # no seed made this face
            lambda: (None, gr.Button(visible=True)), None, [seed, again], queue=False, **NOW
        )
        again.click(sentences(tab.faces_again), session, [*choosing, session], queue=False, **NOW)
        self.open(
            self.faces.input,
            tab.choose_face,
            [self.faces, *asked],
            [*shown, *choosing],
            **reading,
        ).success(lambda: None, None, seed, queue=False, **NOW)
        self.open(
            self.work_in.upload, tab.open_work, [self.work_in, session], [*face, *restored, session]
        )
        visiting = self.strip.input, tab.visit, [self.strip, session], self.at_step
        self.step(*visiting, queue=False, **NOW)
        self.save(self.save_work.click, tab.work, [session], "Work", session)

    def step(self, trigger: Callable, handler: Callable, inputs, outputs, **options: Any):
        """An event that may make a step; the strip then gets it, and nobody waits for that."""
        options = {"api_name": self.api(handler.__name__)} | options
        handler = sentences(_spelt(handler, (*self.tab.settings, "session")))
        event = trigger(handler, inputs, outputs, **options)
        event.then(
            self.tab.desk.strip,
            [self.strip, self.session],
            self.strip,
            api_name=self.api("strip"),
            queue=False,
            **NOW,
        )
        return event

    def open(self, trigger: Callable, handler: Callable, inputs, outputs, **options: Any):
        """A step that opens a picture or a layout."""
        opening = {"show_progress": "minimal", "show_progress_on": self.result, **app.MODEL}
        return self.step(trigger, handler, inputs, outputs, **opening | options)

    def save(self, trigger: Callable, handler: Callable, inputs, label: str, *more: Component):
        """An event that gives the file of a handler, whose further outputs are `more`."""
        name = handler.__name__
        # What a browser downloads has to lie behind a link: this one is clicked by script.
        file = gr.DownloadButton(label, visible="hidden", elem_id=self.id(f"{name}-file"))
        made = trigger(sentences(handler), inputs, [file, *more], api_name=self.api(name), **QUIET)
        click = f"document.querySelector('#{file.elem_id}').click()"
        made.success(None, js=f"() => setTimeout(() => {{ {click} }})")

    # Names

    def id(self, part: str) -> str:
        """What a component is called on the page."""
        return f"{self.tab.prefix}{part}"

    def api(self, name: str) -> str:
        """What an endpoint is called."""
        return f"{self.tab.prefix}{name}".replace("-", "_")

    @property
    def _storage(self) -> str:
        """Where a browser tab keeps the key of its work."""
        return f"semedit-{self.tab.name}"


def _spelt(handler: Callable, settings: Sequence[str]) -> Callable:
    """A handler whose `*settings`, where it has them, have names, which the API then calls them
    by."""
    own = inspect.signature(handler).parameters.values()
    plain = [one for one in own if one.kind is not inspect.Parameter.VAR_POSITIONAL]
    if len(plain) == len(own):
        return handler

    @functools.wraps(handler)
    def named(*args: Any) -> Any:
        return handler(*args)

    spelt = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in settings]
    named.__signature__ = inspect.Signature([*plain, *spelt])
    return named
