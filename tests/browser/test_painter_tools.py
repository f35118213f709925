"""Shapes, lasso, selection, view, legend and export of the painter, as people use them."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from semedit_lite.bench_studio import longest_task
from semedit_lite.labels import FACE

from .canvas import HAIR, HAT, SIZE, SKIN, opened, start_layout


def start() -> np.ndarray:
    return start_layout()[0].numpy().copy()


def pixel(canvas, x: float, y: float) -> tuple[int, int]:
    """The pixel of the drawing on which a pointer sent to (x, y) is."""
    column, row = canvas.drawn(x, y)
    return math.floor(column), math.floor(row)


def pressed(canvas, *keys: str):
    for key in keys:
        canvas.key(key)


def status(canvas, words: str) -> bool:
    return canvas.page.get_by_role("status").filter(has_text=words).count() == 1


@pytest.mark.parametrize("shift", [False, True])
def test_a_rectangle_and_a_square(canvas, shift):
    canvas.tool("hat")
    canvas.tool("Rectangle")
    canvas.page.keyboard.down("Shift") if shift else None
    found = canvas.drag((40.5, 50.5), (20, 9), (10.5, 30.5))
    (right, bottom), (left, top) = pixel(canvas, 40.5, 50.5), pixel(canvas, 10.5, 30.5)
    if shift:
        top = bottom - (right - left)
    expected = start()
    expected[top : bottom + 1, left : right + 1] = HAT
    assert np.array_equal(found, expected)


def test_an_ellipse_fills_its_box(canvas):
    canvas.tool("hat")
    canvas.tool("Ellipse")
    found = canvas.drag((5.5, 20.5), (44.5, 31.5)) == HAT
    (left, top), (right, bottom) = pixel(canvas, 5.5, 20.5), pixel(canvas, 44.5, 31.5)
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (left, right, top, bottom)
    area = math.pi / 4 * (right - left + 1) * (bottom - top + 1)
    assert found.sum() == pytest.approx(area, rel=0.03)
    inside = found[top : bottom + 1, left : right + 1]
    assert np.array_equal(inside, inside[::-1])
    assert np.array_equal(inside, inside[:, ::-1])


CORNERS = ((10.5, 5.5), (50.5, 5.5), (50.5, 55.5), (10.5, 55.5))


def framed(canvas) -> np.ndarray:
    """The start with all within CORNERS painted."""
    (left, top), (right, bottom) = canvas.drawn(*CORNERS[0]), canvas.drawn(*CORNERS[2])
    centres = np.arange(SIZE) + 0.5
    expected = start()
    rows, columns = (centres > top) & (centres < bottom), (centres > left) & (centres < right)
    expected[np.ix_(rows, columns)] = HAT
    return expected


@pytest.mark.parametrize("close", ["first", "double", "Enter", "drag"])
def test_a_lasso_closes(canvas, close):
    canvas.tool("hat")
    canvas.tool("Lasso")
    if close == "drag":
        assert np.array_equal(canvas.drag(*CORNERS), framed(canvas))
        return
    for corner in CORNERS[:-1]:
        canvas.press(corner)
    assert not canvas.received
    if close == "double":
        found = canvas.sent(lambda: canvas.page.mouse.dblclick(*canvas.client(*CORNERS[-1])))
    else:
        canvas.press(CORNERS[-1])
        end = {"first": lambda: canvas.press(CORNERS[0]), "Enter": lambda: canvas.key("Enter")}
        found = canvas.sent(end[close])
    assert np.array_equal(found, framed(canvas))
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Z")), start())  # one step


def test_a_lasso_gives_corners_back_and_up(canvas):
    canvas.tool("hat")
    canvas.tool("Lasso")
    for corner in (*CORNERS[:3], (60, 60), CORNERS[3]):
        canvas.press(corner)
    pressed(canvas, "Backspace", "Backspace")
    assert status(canvas, "Lasso, corner 3")
    canvas.press(CORNERS[3])
    assert np.array_equal(canvas.sent(lambda: canvas.key("Enter")), framed(canvas))
    canvas.press((1, 1))
    canvas.press((60, 1))
    canvas.key("Escape")
    assert status(canvas, "Given up")
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Z")), start())


def moved(dx: int, dy: int) -> np.ndarray:
    """The start with the hair moved: what it leaves is background."""
    expected = np.where(start() == HAIR, 0, start())
    expected[16 + dy : 48 + dy, 36 + dx : 56 + dx] = HAIR
    return expected


def test_a_region_is_moved_as_one_step(canvas):
    canvas.tool("Select")
    canvas.press((45.5, 30.5))
    assert status(canvas, "Selected hair")
    assert np.array_equal(canvas.drag((45.5, 30.5), (50, 20), (48.5, 27.5)), moved(3, -3))
    assert np.array_equal(canvas.drag((48.5, 27.5), (48.5, 29.5)), moved(3, -1))  # shown meanwhile
    canvas.press((2, 60))  # lays it down
    assert canvas.page.get_by_role("button", name="Done").is_disabled()
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Z")), start())
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Shift+Z")), moved(3, -1))


def test_a_selection_is_given_up_and_removed(canvas):
    canvas.tool("Select")
    canvas.press((45.5, 30.5))
    canvas.drag((45.5, 30.5), (48.5, 27.5))
    assert np.array_equal(canvas.sent(lambda: canvas.key("Escape")), start())
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()
    canvas.press((45.5, 30.5))
    without = canvas.sent(canvas.page.get_by_role("button", name="Remove").click)
    assert np.array_equal(without, np.where(start() == HAIR, 0, start()))


def test_corners_scale_and_shift_keeps_the_shape(canvas):
    canvas.tool("Select")
    canvas.press((45.5, 30.5))
    found = canvas.drag((56, 48), (58, 38)) == HAIR  # the lower right corner
    assert (found[16:38, 36:58]).all()
    assert found.sum() == 22 * 22
    canvas.sent(lambda: canvas.key("Escape"))
    canvas.press((45.5, 30.5))
    canvas.page.keyboard.down("Shift")
    found = canvas.drag((36, 16), (46, 32)) == HAIR  # the upper left: 20 x 32 by half
    canvas.page.keyboard.up("Shift")
    assert (found[32:48, 46:56]).all()
    assert found.sum() == 10 * 16


def test_shift_adds_a_region_and_a_drag_takes_all(canvas):
    canvas.tool("Select")
    canvas.press((45.5, 30.5))
    canvas.page.keyboard.down("Shift")
    canvas.press((18.5, 30.5))
    canvas.page.keyboard.up("Shift")
    assert status(canvas, "Selected skin, hair")
    mirrored_ = canvas.sent(canvas.page.get_by_role("button", name="Mirror left to right").click)
    expected = np.zeros_like(start())
    expected[16:48, 8:28], expected[16:48, 36:56] = HAIR, SKIN
    assert np.array_equal(mirrored_, expected)
    canvas.sent(lambda: canvas.key("Escape"))
    canvas.press((30.5, 10.5), (59.5, 40.5))
    assert status(canvas, "Selected background, hair")
    (left, top), (right, bottom) = pixel(canvas, 30.5, 10.5), pixel(canvas, 59.5, 40.5)
    found = canvas.sent(lambda: canvas.key("Shift+F"))
    box = start()[top : bottom + 1, left : right + 1]
    assert np.array_equal(found[top : bottom + 1, left : right + 1], box[::-1])


def test_selecting_by_keyboard_alone(canvas):
    canvas.element.focus()
    pressed(canvas, "v", *["ArrowRight"] * 13, "Space")
    assert status(canvas, "Selected hair")
    found = canvas.sent(lambda: canvas.key("ArrowUp"))
    assert np.array_equal(found, moved(0, -1))
    found = canvas.sent(lambda: canvas.key("Shift+ArrowLeft"))
    expected = np.where(start() == HAIR, 0, start())
    expected[15:47, 26:46] = HAIR
    assert np.array_equal(found, expected)
    found = canvas.sent(lambda: canvas.key("["))
    assert (found == HAIR).sum() == 19 * 30
    canvas.key("Enter")
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Z")), start())


def test_a_lasso_by_keyboard_alone(canvas):
    canvas.element.focus()
    pressed(canvas, "y", "l", "Space", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space")
    found = canvas.sent(lambda: canvas.key("Enter")) == HAT
    assert found.sum() == pytest.approx(50, abs=10)
    assert found[34, 40]
    assert not found[40, 34]


def visible(canvas) -> tuple[float, float, float, float]:
    """The part of the drawing that is seen: left, top, right, bottom in pixels of it."""
    canvas.box = canvas.element.bounding_box()
    stage = canvas.page.locator('[data-part="stage"]').bounding_box()
    scale = canvas.box["width"] / SIZE
    left, top = ((stage[k] - canvas.box[k]) / scale for k in "xy")
    return left, top, left + stage["width"] / scale, top + stage["height"] / scale


def test_the_wheel_zooms_at_the_pointer_and_pages_scroll_when_all_is_seen(canvas):
    mouse, place = canvas.page.mouse, canvas.client(20, 45)
    mouse.move(*place)
    mouse.wheel(0, -500)  # would scroll a page that has more above
    assert np.allclose(visible(canvas), [0, 0, SIZE, SIZE], atol=0.1)
    canvas.page.keyboard.down("Control")
    mouse.wheel(0, -75)
    canvas.page.keyboard.up("Control")
    left, _, right, _ = visible(canvas)
    assert right - left == pytest.approx(SIZE / math.exp(0.75), rel=0.01)
    scale = canvas.box["width"] / SIZE
    point = [(place[0] - canvas.box["x"]) / scale, (place[1] - canvas.box["y"]) / scale]
    assert np.allclose(point, [20, 45], atol=0.2)
    for _ in range(10):
        mouse.wheel(0, 500)
    assert np.allclose(visible(canvas), [0, 0, SIZE, SIZE], atol=0.1)
    assert canvas.page.get_by_role("button", name="Zoom out").is_disabled()


def test_hand_middle_button_and_keys_move_the_view(canvas):
    canvas.element.focus()
    pressed(canvas, "+", "+")
    left, _, right, _ = visible(canvas)
    assert right - left == pytest.approx(SIZE / 2.25, rel=0.01)
    assert status(canvas, "Zoom 225 %")
    scale = canvas.box["width"] / SIZE
    for button, start_ in (("middle", "b"), ("left", "h")):
        canvas.key(start_)
        before = visible(canvas)
        canvas.page.mouse.move(600, 400)
        canvas.page.mouse.down(button=button)
        canvas.page.mouse.move(640, 380)
        canvas.page.mouse.up(button=button)
        after = visible(canvas)
        shift = np.subtract(after, before)
        assert np.allclose(shift, [-40 / scale, 20 / scale] * 2, atol=0.1)
    canvas.page.mouse.move(600, 400)
    canvas.page.mouse.down()
    canvas.page.mouse.move(5000, 5000)  # never further than to the edge
    canvas.page.mouse.up()
    assert np.allclose(visible(canvas)[:2], 0, atol=0.1)
    canvas.key("z")
    assert np.allclose(visible(canvas), [0, 0, SIZE, SIZE], atol=0.1)
    assert not canvas.received


def test_the_keyboards_cursor_stays_in_view(canvas):
    canvas.element.focus()
    pressed(canvas, *"++++", *["Shift+ArrowRight"] * 3)
    left, _, right, _ = visible(canvas)
    assert left < 62.5 < right


def test_two_fingers_zoom_and_take_the_stroke_back(browser, app):
    view = {"width": 390, "height": 800}
    canvas = opened(browser, app, viewport=view, has_touch=True, is_mobile=True)
    canvas.tool("hat")
    canvas.element.scroll_into_view_if_needed()
    canvas.box = canvas.element.bounding_box()
    device = canvas.page.context.new_cdp_session(canvas.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [dict(zip("xy", canvas.client(*point), strict=True)) for point in points]
        fingers = [{"id": k, **place} for k, place in enumerate(places)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", (30, 30))
    touch("touchMove", (29, 30))
    touch("touchStart", (29, 30), (35, 30))
    touch("touchMove", (23, 30), (41, 30))  # three times as far apart, about (32, 30)
    touch("touchEnd")
    left, _, right, _ = visible(canvas)
    assert right - left == pytest.approx(SIZE / 3, rel=0.05)
    assert 32 - left == pytest.approx(32 / 3, abs=0.7)
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()
    assert not canvas.received
    canvas.page.context.close()


def test_the_layout_is_saved_as_it_is_shown(canvas):
    canvas.tool("Select")
    canvas.press((45.5, 30.5))
    canvas.drag((45.5, 30.5), (48.5, 27.5))  # not laid down yet
    canvas.page.get_by_role("button", name="Colours that are easier").click()
    with canvas.page.expect_download() as download:
        canvas.page.get_by_role("button", name="Save the layout as PNG").click()
    assert download.value.suggested_filename == "layout.png"
    image = Image.open(download.value.path())
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), moved(3, -3))
    assert image.getpalette()[: 3 * len(FACE)] == FACE.palette()[: 3 * len(FACE)]


COLOURS = """(canvas, places) => places.map(
  ([x, y]) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data])"""


def test_classes_are_hidden_and_shown_without_a_change(canvas):
    def shown() -> list:
        return canvas.element.evaluate(COLOURS, [[45, 30], [18, 30]])

    hair, skin = ([*FACE.colours[k], 255] for k in (HAIR, SKIN))
    hide = canvas.page.get_by_role("button", name="Hide hair")
    hide.click()
    assert shown() == [[0, 0, 0, 0], skin]
    assert hide.get_attribute("aria-pressed") == "true"
    canvas.tool("hat")
    expected = start()
    (column, row), _ = pixel(canvas, 4.5, 4.5), canvas.brush(1)
    expected[row, column] = HAT
    assert np.array_equal(canvas.drag((4.5, 4.5)), expected)  # hair is still there
    canvas.page.get_by_role("button", name="Show all classes").click()
    assert shown() == [hair, skin]
    assert hide.get_attribute("aria-pressed") == "false"


def test_safe_colours_are_shown_everywhere_and_remembered(canvas):
    safe = [*FACE.contrast[HAIR], 255]
    for _ in range(2):
        button = canvas.page.get_by_role("button", name="Colours that are easier")
        if button.get_attribute("aria-pressed") == "false":
            button.click()
        assert canvas.element.evaluate(COLOURS, [[45, 30]]) == [safe]
        dot = canvas.page.locator(".swatch", has_text="hair").locator("i")
        colour = dot.evaluate("dot => getComputedStyle(dot).backgroundColor")
        assert colour == "rgb({}, {}, {})".format(*FACE.contrast[HAIR])
        canvas.page.reload()
        canvas.page.locator(".swatch").first.wait_for()
        canvas.page.wait_for_function("document.querySelector('canvas').width === 64")
        assert button.get_attribute("aria-pressed") == "true"


def test_each_sized_tool_remembers_its_size(canvas):
    size = canvas.page.locator('[data-part="size"]')
    canvas.brush(3)
    canvas.tool("Eraser")
    canvas.brush(9)
    canvas.tool("Brush")
    assert size.input_value() == "3"
    canvas.tool("Fill")
    assert size.is_disabled()
    canvas.tool("Eraser")
    assert size.input_value() == "9"
    found = canvas.drag((18.5, 30.5))
    assert (found != start()).sum() == pytest.approx(math.pi * 4.5**2, abs=6)


ZOOMED = [(0.8, 1), (1, 1), (1.25, 1), (1.5, 1), (1, 1.5), (1, 2), (1, 3), (0.8, 1.5), (1.5, 3)]


@pytest.mark.parametrize(("zoom", "density"), ZOOMED)
def test_a_click_paints_the_pixel_below_the_pointer(browser, app, zoom, density):
    """A window of 1280 x 900 whose page is zoomed to 125 % on a display of density 1.5 has 1024 x
    720 CSS pixels of 1.875 device pixels each, and so has this one. What Python receives is
    checked, and that the device pixel below the pointer took the new colour."""
    view = {"width": round(1280 / zoom), "height": round(900 / zoom)}
    canvas = opened(browser, app, viewport=view, device_scale_factor=zoom * density)
    check_clicks(canvas, zoom * density)
    canvas.page.context.close()


def test_a_click_paints_the_pixel_below_the_pointer_in_a_page_zoomed_by_css(browser, app):
    canvas = opened(browser, app, viewport={"width": 1280, "height": 900})
    canvas.page.evaluate("document.documentElement.style.zoom = 1.25")
    check_clicks(canvas, 1)
    canvas.page.context.close()


def check_clicks(canvas, density: float) -> None:
    """Clicks with the thinnest brush on the whole drawing, and on it enlarged and moved."""
    page, mouse, rng = canvas.page, canvas.page.mouse, np.random.default_rng(1)
    canvas.tool("hat")
    canvas.brush(1)
    canvas.element.scroll_into_view_if_needed()
    stage = page.locator('[data-part="stage"]').bounding_box()
    bottom = min(stage["y"] + stage["height"], page.viewport_size["height"]) - 2
    expected, looked_at = start(), 0
    for view in ("whole", "enlarged", "moved"):
        if view == "enlarged":
            mouse.move(stage["x"] + stage["width"] / 3, stage["y"] + stage["height"] / 3)
            page.keyboard.down("Control")
            mouse.wheel(0, -105)
            page.keyboard.up("Control")
        elif view == "moved":
            mouse.down(button="middle")
            mouse.move(stage["x"] + 17, stage["y"] + 31)
            mouse.up(button="middle")
        canvas.box = canvas.element.bounding_box()
        scale = canvas.box["width"] / SIZE
        places = []
        while len(places) < 3:
            x = int(rng.uniform(stage["x"] + 2, stage["x"] + stage["width"] - 2))
            y = int(rng.uniform(max(stage["y"], 0) + 2, bottom))
            exact = (x - canvas.box["x"]) / scale, (y - canvas.box["y"]) / scale
            column, row = map(math.floor, exact)
            if expected[row, column] == HAT:
                continue
            expected[row, column] = HAT
            found = canvas.sent(lambda at=(x, y): mouse.click(*at))
            assert np.array_equal(found, expected), (view, exact, np.argwhere(found != expected))
            edge = min(abs(value - round(value)) for value in exact) * scale * density
            places.append((x, y, edge))
        mouse.move(1, 1)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        for x, y, edge in places:
            if edge > 2:  # device pixels: at an edge two colours meet
                looked_at += 1
                colour = shot.getpixel((int((x + 0.5) * density), int((y + 0.5) * density)))
                assert np.allclose(colour, FACE.colours[HAT], atol=3), (view, x, y, colour)
    assert looked_at > 4


def test_the_longest_task_is_read_off_a_page(browser):
    """What `semedit bench` says of strokes: a page that counts far was busy, one that waits not."""
    page, longest = browser.new_page(), {}
    for script in (
        "new Promise((done) => setTimeout(done, 200))",
        "for (let k = 0; k < 3e8; k++);",
    ):
        browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
        page.evaluate(script)
        page.evaluate("0")  # another task: the answer came while that of the script was ending
        longest[script] = longest_task(browser.stop_tracing())
    waits, counts = longest.values()
    assert counts > 5 * waits
    page.close()
