"""Tables are made from JSON: the committed pages say what the committed figures say."""

import json

import pytest

from semedit_lite.editing.vectors import bundled
from semedit_lite.evaluation import report
from semedit_lite.hub import digest

BENCH = {
    "date": "2026-01-02",
    "machine": {"processor": "Toy 1", "cores": 2, "torch": "2.13.0"},
    "results": {
        "a": {"what": "A", "unit": "ms", "median": 12.345, "low": 12, "high": 20.5, "aim": 60},
        "b": {"what": "B", "unit": "s", "median": 0.5, "low": 0.4, "high": 0.6, "aim": None},
    },
}
AGREEMENT = {"accuracy": 0.91234, "miou": 0.7, "iou": {"skin": 0.9, "hat": None}}
PAINTER = {
    "seeds": 512,
    "size": 64,
    "own_parser": {"painted": AGREEMENT, "references": AGREEMENT},
}
JUDGED = PAINTER | {
    "nets": {"LPIPS": "on a toy"},
    "judge": PAINTER["own_parser"],
    "distance": {
        "features": "MobileNetV2",
        "frechet": {"painted": 50.0},
        "kernel": {"painted": 0.0012},
        "kernel_deviation": {"painted": 0.0001},
    },
    "styles": {"lpips_between_styles": 0.2},
}
PARSER = {
    "celebamask_held_out": AGREEMENT
    | {"photos": 140, "left_right": 0.99, "exchanged_in_labels": 7, "exchanged_by_parser": 0},
    "fasseg_yaw_30": AGREEMENT | {"photos": 9, "iou": {"eyes": 0.5}},
}
PSNR = {"psnr_256": {"mean": 33.21, "lowest": 30.0}}
GENERATOR = {"faces": 32, "one_style": PSNR, "mixed_styles": PSNR}

VERIFIED = {"auc": 0.98765, "accuracy": 0.95, "threshold": 0.3}
VERIFIED |= {"cosine_same": 0.6, "cosine_different": 0.01}
IDENTITY = {"photos": 357, "people": 65, "pairs_same": 800, "pairs_different": 62000}
IDENTITY["verification"] = {"ours": VERIFIED, "mobilefacenet_a": VERIFIED | {"auc": 0.99}}
AGREES = {"pairs": 1200, "spearman": 0.98, "pearson": 0.96, "lpips": 0.12, "ours": 0.11}
DISTANCE = {"lpips_agreement": {"faces": 40, "all": AGREES, "blur": AGREES | {"pairs": 40}}}


@pytest.mark.parametrize("page", report.pages(), ids=lambda page: f"{page.parent.name}/{page.name}")
def test_pages_equal_their_figures(page):
    text = page.read_text(encoding="utf-8")
    assert report.fill(text, report.blocks()) == text, (
        "run `python -m semedit_lite.evaluation.report`"
    )


def test_the_readme_shows_every_figure():
    text = (report.ROOT / "README.md").read_text(encoding="utf-8")
    for path in report.BENCHMARKS.glob("*.json"):
        assert f"<!-- bench-{path.stem}:start -->" in text
    assert "<!-- scores:start -->" in text


@pytest.mark.parametrize("kind", ["scores", "conversion", "photos"])
def test_figures_are_on_their_card(kind):
    found = list(report.BUNDLED.glob(f"*/{kind}.json"))
    assert found
    for path in found:
        card = (path.parent / "README.md").read_text(encoding="utf-8")
        assert f"<!-- {kind}-{path.parent.name}:start -->" in card


@pytest.mark.parametrize("kind", ["scores", "conversion"])
def test_figures_are_those_of_the_weights_beside_them(kind):
    for path in report.BUNDLED.glob(f"*/{kind}.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        if "sliders_sha256" in found:
            known = {name: digest(slider) for name, slider in bundled().items()}
            assert found["sliders_sha256"] == known
        else:
            assert digest(path.parent / "model.safetensors") == found["weights_sha256"], path


def test_bench_table():
    lines = report.bench_table(BENCH).splitlines()
    assert lines[0] == "|  | median | 10 to 90 % of runs | aim |"
    assert lines[2] == "| A | 12.3 ms | 12 – 20.5 | ≤ 60 ms |"
    assert lines[3] == "| B | 0.5 s | 0.4 – 0.6 | – |"
    assert lines[-1] == "Toy 1, 2 cores, torch 2.13.0, 2026-01-02."


def test_parser_tables():
    text = report.scores_table(PARSER)
    assert "| celebamask held out | 140 | 0.912 | 0.700 | 0.990 | 7 | 0 |" in text
    assert "| fasseg yaw ±30 | 9 | 0.912 | 0.700 | – | – | – |" in text
    assert "| IoU | CelebAMask-HQ |\n| --- | ---: |\n| skin | 0.900 |\n| hat | – |" in text
    assert "| eyes | 0.500 |" in text


def test_painter_tables():
    text = report.scores_table(JUDGED)
    assert "| painted | 0.912 | 0.700 | 0.912 | 0.700 |" in text
    assert "| painted | 50.0 | 1.200 | 0.100 |" in text
    assert "| lpips between styles | 0.200 |" in text
    assert "- LPIPS: on a toy." in text
    assert text.endswith("by our own parser alone, which has also made the layouts.")
    alone = report.scores_table(PAINTER | {"left_out": {"what": ["judge"], "why": "no teachers"}})
    assert "independent" not in alone
    assert "shipped" not in alone
    assert alone.endswith("Left out: judge (no teachers)")


def test_generator_tables():
    assert report.scores_table(GENERATOR).endswith("| 256² | 33.2 | 30.0 | 33.2 | 30.0 |")


def test_identity_table():
    lines = report.scores_table(IDENTITY).splitlines()
    assert lines[0].startswith(
        "| 357 photos of 65 people: 800 pairs of one person, 62,000 of two |"
    )
    assert lines[2] == "| ours | 0.988 | 0.950 | 0.300 | 0.600 | 0.010 |"
    assert lines[3].startswith("| mobilefacenet a | 0.990 |")


def test_inversion_table():
    row = {"pictures": 24, "lpips": 0.2141, "psnr": 17.25, "identity": 0.3081, "poor": 0.25}
    searched = row | {"identity": 0.6414, "poor": 0.0}
    found = {"inversion": {"faces": row, "alone": row, "searched": searched}}
    table = report.scores_table(found)
    assert "| searched | 24 | 0.214 | 17.2 | 0.641 | 0.000 |" in table
    line = report.summary({"x": found})
    assert "identity 0.308 by MobileFaceNet b on 24 photos; after a search 0.641" in line


def test_distance_table():
    lines = report.scores_table(DISTANCE).splitlines()
    assert lines[0].startswith("| 40 evaluation seeds, edit or size | pairs | Spearman |")
    assert lines[2:] == [
        "| all | 1,200 | 0.980 | 0.960 | 0.120 | 0.110 |",
        "| blur | 40 | 0.980 | 0.960 | 0.120 | 0.110 |",
    ]


def test_conversion_table():
    far = {"largest": 0.000052, "root_mean_square": 0.0000012}
    text = report.conversion_table(
        {"faces": 8, "runtime": "Toy 1, float32", "float32": far, "stored": far}
    )
    assert "8 faces of 1024², in [-1, 1], to Toy 1, float32" in text
    assert "| converted, float32 | 5.2e-05 | 1.2e-06 |" in text


def test_ablation_table():
    one = {"pictures": 4000, "accuracy": 0.9, "miou": 0.6, "frechet": 99.0, "own_colour": 0.3}
    one["variety"] = 0.1
    runs = {"the recipe": {"0": one, "1": one | {"accuracy": 0.92}}, "batches of 8": {"0": one}}
    lines = report.ablation_table({"minutes": 5.0, "size": 64, "runs": runs}).splitlines()
    assert lines[0].startswith(
        "| 5 minutes of one core, 64² | seeds | pictures seen | accuracy ↑ |"
    )
    assert lines[2].startswith("| the recipe | 2 | 4,000 | 0.910 ± 0.014 | 0.600 ± 0.000 | 99.0 ± ")
    assert lines[3] == "| batches of 8 | 1 | 4,000 | 0.900 | 0.600 | 99.0 | 0.300 | 0.100 |"


def test_summary():
    lines = report.summary({"a": PARSER, "b": JUDGED, "c": PAINTER, "d": GENERATOR}).splitlines()
    assert "accuracy 0.912, mIoU 0.700 on 140 held-out" in lines[2]
    assert "by an independent judge" in lines[3]
    assert "by our own parser" in lines[4]
    assert "33.2 dB" in lines[5]
    lines = report.summary({"a": IDENTITY, "b": DISTANCE}).splitlines()
    assert "under ROC 0.988 on pairs of 357 photos; mobilefacenet a 0.990" in lines[2]
    assert "Spearman 0.980 with LPIPS on 1,200 pairs" in lines[3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (-9.9999, "-10.000"), (12.34, "12.3"), (12345.6, "12,346"), (7, "7")],
)
def test_number(value, text):
    assert report.number(value) == text


def test_fill_touches_marked_blocks_alone():
    text = "a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n<!-- y:start -->\nkept\n<!-- y:end -->\n"
    filled = report.fill(text, {"x": r"new \1 table"})
    assert filled == text.replace("old", r"new \1 table")
    assert report.fill(filled, {"x": r"new \1 table"}) == filled
