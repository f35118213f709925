"""The verb `sketch`: lines on a photo from the shell."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from test_cli import run
from test_images import png_header

from semedit_lite import hub, images
from semedit_lite.data.textures import textures
from semedit_lite.editing.strokes import Sketch, Stroke
from semedit_lite.images import read_provenance

WEIGHTS = ("face-finder", "face-parser", "mobilestylegan-ffhq", "sketchedit-faces-64")
pytestmark = pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in WEIGHTS),
    reason=f"the weights {', '.join(WEIGHTS)} are not all there",
)
LEFT, TOP, SIDE = 120, 60, 320  # of the head shot
SMILE = ((92, 178), (108, 190), (128, 194), (148, 190), (166, 178))  # on a face of 256 pixels


def on_photo(x: float, y: float) -> tuple[float, float]:
    return LEFT + x * SIDE / 256, TOP + y * SIDE / 256


@pytest.fixture
def photo(tmp_path):
    import torch

    from semedit_lite.data.faces import paint

    page = images.to_pil(textures(1, 128, torch.Generator().manual_seed(3))[0]).resize((600, 440))
    head = images.to_pil(paint([1_000_010], 256)["image"])
    page.paste(head.resize((SIDE, SIDE)), (LEFT, TOP))
    path = tmp_path / "me.png"
    page.save(path)
    return path


def changed(before, after) -> np.ndarray:
    one, two = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (before, after))
    assert one.shape == two.shape
    return (one != two).any(2)


def white(path, size, draw) -> None:
    image = Image.new("L", size)
    draw(ImageDraw.Draw(image))
    image.save(path)


def strokes(path, frame, points, size) -> None:
    stroke = Stroke("line", 2.0, tuple((*point, 0.0) for point in points))
    path.write_text(Sketch((stroke,), size, frame).to_json(), encoding="utf-8")


@pytest.mark.parametrize("kind", ["face", "photo", "lines"])
def test_the_mouth_changes_and_the_rest_stays(photo, tmp_path, capsys, kind):
    drawn = tmp_path / ("lines.png" if kind == "lines" else "strokes.json")
    there = [on_photo(*point) for point in SMILE]
    if kind == "lines":
        white(drawn, (600, 440), lambda pen: pen.line(there, 255, 3))
    elif kind == "photo":
        strokes(drawn, "photo", [(x / 2, y / 2) for x, y in there], (300, 220))  # of half the size
    else:
        strokes(drawn, "face", SMILE, (256, 256))
    out = tmp_path / "out.png"
    assert run("sketch", photo, drawn, "-o", out) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["change_inside"] > scores["change_outside"]
    rows, columns = changed(photo, out).nonzero()
    x, y = on_photo(128, 186)
    assert abs(np.median(rows) - y) < 40
    assert abs(np.median(columns) - x) < 40
    assert TOP + 0.4 * SIDE < rows.min() < rows.max() < TOP + SIDE
    region = np.asarray(Image.open(tmp_path / "out-region.png"))
    assert region.shape == (440, 600)
    assert region.any()
    assert [step["tool"] for step in read_provenance(out)["operations"]] == ["open", "sketch"]


def test_a_region_may_be_given(photo, tmp_path):
    lines, where, out = (tmp_path / name for name in ("lines.png", "where.png", "out.png"))
    white(lines, (600, 440), lambda pen: pen.line([on_photo(*point) for point in SMILE], 255, 3))
    box = [*on_photo(60, 40), *on_photo(200, 80)]
    white(where, (600, 440), lambda pen: pen.rectangle(box, 255))
    assert run("sketch", photo, lines, "--region", where, "-o", out) == 0
    rows, columns = changed(photo, out).nonzero()
    near = 20 * SIDE / 256
    assert box[1] - near < rows.min() < rows.max() < box[3] + near
    assert box[0] - near < columns.min() < columns.max() < box[2] + near


def test_a_lower_threshold_changes_more(photo, tmp_path):
    drawn = tmp_path / "strokes.json"
    strokes(drawn, "face", SMILE, (256, 256))
    shares = []
    for threshold in ("0.1", "0.9"):
        out = tmp_path / f"{threshold}.png"
        assert run("sketch", photo, drawn, "-o", out, "--threshold", threshold) == 0
        shares.append(changed(photo, out).sum())
    assert shares[0] > shares[1]


@pytest.mark.parametrize(
    ("what", "said"),
    [("missing", "cannot be read"), ("text", "no strokes"), ("empty", "change nothing here"),
     ("small", "300×220 pixels, but the photo is 600×440"), ("blank", "change nothing here"),
     ("huge", "16 megapixels")],
)  # fmt: skip
def test_lines_that_cannot_be_used(photo, tmp_path, capsys, what, said):
    drawn, out = tmp_path / "drawn.json", tmp_path / "out.png"
    if what == "text":
        drawn.write_text("hello", encoding="utf-8")
    elif what == "empty":
        drawn.write_text(Sketch().to_json(), encoding="utf-8")
    elif what == "huge":
        drawn = tmp_path / "drawn.png"
        drawn.write_bytes(png_header(20_000, 20_000))
    elif what != "missing":
        drawn = tmp_path / "drawn.png"
        Image.new("L", (300, 220) if what == "small" else (600, 440)).save(drawn)
    assert run("sketch", photo, drawn, "-o", out) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_photos_that_cannot_be_used_and_outputs_over_inputs(photo, tmp_path, capsys):
    drawn = tmp_path / "strokes.json"
    strokes(drawn, "face", SMILE, (256, 256))
    assert run("sketch", photo, drawn, "-o", photo) == 2
    assert "would be overwritten" in capsys.readouterr().err
    wall = tmp_path / "wall.png"
    Image.new("RGB", (300, 200), "grey").save(wall)
    assert run("sketch", wall, drawn, "-o", tmp_path / "out.png") == 2
    assert "No face was found" in capsys.readouterr().err
    wall.write_bytes(png_header(20_000, 20_000))
    assert run("sketch", wall, drawn, "-o", tmp_path / "out.png") == 2
    assert "16 megapixels" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("sketch", photo, drawn, "-o", tmp_path / "out.png", "--threshold", "2")
