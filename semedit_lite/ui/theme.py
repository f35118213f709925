"""How all apps look: one theme, one style sheet, fonts that every system has."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

STYLE = Path(__file__).parent / "theme.css"


def theme() -> "gr.themes.Base":
    """Quiet greys and one green; no font is fetched from anywhere."""
    import gradio as gr

    green = gr.themes.Color(
        "#eefaf6", "#d6f2e8", "#aee5d3", "#7bd0b8", "#46b499", "#23977e",
        "#157a66", "#126253", "#114e43", "#0f4038", "#072520",
    )  # fmt: skip
    text = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
    return gr.themes.Base(
        primary_hue=green,
        secondary_hue=green,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_lg,
        font=text,
        font_mono=("ui-monospace", "Menlo", "Consolas", "monospace"),
    ).set(
        body_background_fill="#f4f6f8",
        body_background_fill_dark="#0e1418",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#161e24",
        background_fill_secondary="#f4f6f8",
        background_fill_secondary_dark="#0e1418",
        border_color_primary="#dfe5ea",
        border_color_primary_dark="#2a353e",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="#12322c",
        block_background_fill="*background_fill_primary",
        block_background_fill_dark="*background_fill_primary",
        block_border_width="1px",
        block_shadow="0 1px 2px rgb(15 23 42 / 0.04)",
        block_label_background_fill="*background_fill_primary",
        block_label_background_fill_dark="*background_fill_primary",
        block_label_text_color="*body_text_color_subdued",
        block_label_border_width="0px",
        block_title_text_color="*body_text_color",
        block_title_text_weight="600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="*background_fill_primary",
        button_secondary_background_fill_dark="#1e2830",
        button_secondary_border_color="*border_color_primary",
        button_border_width="1px",
        button_large_padding="9px 16px",
        button_large_text_size="15px",
        button_large_text_weight="600",
        button_medium_text_weight="500",
        slider_color="*primary_600",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected="*primary_600",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="#12322c",
        checkbox_label_text_color_selected="*body_text_color",
        checkbox_label_text_color_selected_dark="*body_text_color",
        checkbox_label_border_color_selected="*primary_600",
        checkbox_label_border_width="1px",
        checkbox_label_shadow="none",
        input_background_fill="*background_fill_primary",
        input_background_fill_dark="#1e2830",
        input_border_width="1px",
        input_border_color="*border_color_primary",
    )
