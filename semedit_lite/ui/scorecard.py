"""The scorecard of a step, as a page shows it."""

from typing import TYPE_CHECKING, Any

from semedit_lite.labels import LabelSet

if TYPE_CHECKING:
    import gradio as gr

TEMPLATE = """
<div class="scores">
  ${Object.keys(value?.classes ?? {}).length || value?.change_inside != null ? `
    ${Object.keys(value.classes ?? {}).length ? `<p>Found where it was asked for</p>
    <dl>${Object.entries(value.classes).map(([name, overlap]) => `
      <div>
        <dt>${titles[name]}</dt>
        <dd><i><b style="width: ${100 * overlap}%"></b></i>${Math.round(100 * overlap)} %</dd>
      </div>`).join("")}
    </dl>` : ""}
    <p>Mean change ${(value.change_inside ?? 0).toFixed(1)} inside,
      ${(value.change_outside ?? 0).toFixed(1)} outside, of 255
      · ${Math.round(1000 * (value.seconds ?? 0))} ms</p>
    ${value.lines == null ? "" : `<p>Lines followed: ${Math.round(100 * value.lines)} %</p>`}
    ${value.identity == null ? "" : `<p>Same person: ${value.identity.toFixed(2)}</p>`}`
  : `<p>${hint}</p>`}
</div>"""
STYLE = """
.scores { color: var(--body-text-color-subdued); font-size: 13px; line-height: 1.45; }
.scores p, .scores dl, .scores dd { margin: 0; }
.scores dl { margin: 6px 0; max-height: 132px; overflow-y: auto; }
.scores dl div { display: flex; justify-content: space-between; gap: 8px; }
.scores dt { color: var(--body-text-color); }
.scores dd { white-space: nowrap; }
.scores dd { display: flex; align-items: center; gap: 8px; font-variant-numeric: tabular-nums; }
.scores i { width: 56px; height: 5px; border-radius: 3px; background: var(--border-color-primary); }
.scores b { display: block; height: 5px; border-radius: 3px; background: var(--color-accent); }
"""


def scorecard(labels: LabelSet, hint: str, **options: Any) -> "gr.HTML":
    """Shows what `editing.scorecard.scorecard` gives of a picture with classes of `labels`; where
    nothing was changed yet, how to begin."""
    import gradio as gr

    return gr.HTML(
        html_template=TEMPLATE,
        css_template=STYLE,
        apply_default_css=False,
        titles=dict(zip(labels.classes, labels.titles, strict=True)),
        hint=hint,
        label="Scorecard",
        **options,
    )
