"""The painter in a real browser: what reaches Python is exactly what was painted."""

import numpy as np
import pytest

from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.ui.painter import document_of, encode_value, painter

from .canvas import HAIR, HAT, SIZE, SKIN, near, opened, other_layout, start_layout


@pytest.mark.parametrize("density", [1, 2])
def test_a_click_paints_exactly_the_disc_below_the_ring(browser, app, density):
    view = {"width": 1111, "height": 870}  # an odd size: the canvas is scaled by no whole number
    canvas = opened(browser, app, viewport=view, device_scale_factor=density)
    canvas.tool("hat")
    expected = start_layout()[0].numpy()
    for pixels, place in ((1, (5.5, 50.2)), (7, (30.3, 20.8)), (16, (60.1, 60.9))):
        canvas.brush(pixels)
        found, centre = canvas.drag(place), canvas.drawn(*place)
        expected[near(centre, centre, pixels / 2)] = HAT
        expected[int(centre[1]), int(centre[0])] = HAT
        assert np.array_equal(found, expected)
    canvas.page.context.close()


@pytest.mark.parametrize("pixels", [1, 6])
def test_fast_strokes_leave_no_gaps(canvas, pixels):
    canvas.brush(pixels)
    canvas.tool("hat")
    corners = [(4.2, 5.1), (60.7, 33.4), (7.9, 58.2)]
    found = canvas.drag(*corners) == HAT
    a, b, c = (canvas.drawn(*corner) for corner in corners)
    inner, outer = max(pixels / 2 - 0.1, 0), max(pixels / 2, 0.71) + 0.01
    assert found[near(a, b, inner) | near(b, c, inner)].all()
    assert not found[~(near(a, b, outer) | near(b, c, outer))].any()
    for start, stop in ((a, b), (b, c)):  # every pixel that the line passes through in steps of ½
        for t in np.linspace(0, 1, 120):
            x, y = start + t * (stop - start)
            assert found[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].any()


def test_touch_paints_and_does_not_scroll(browser, app):
    view = {"width": 390, "height": 500}
    canvas = opened(browser, app, viewport=view, has_touch=True, is_mobile=True)
    canvas.brush(6)
    canvas.tool("hat")
    canvas.element.scroll_into_view_if_needed()
    canvas.box = canvas.element.bounding_box()
    scrolled = canvas.page.evaluate("scrollY")
    device = canvas.page.context.new_cdp_session(canvas.page)

    def touch():
        for kind, point in (("touchStart", (20, 12)), ("touchMove", (40, 52)), ("touchEnd", None)):
            x, y = canvas.client(*(point or (0, 0)))
            points = [{"x": x, "y": y}] if point else []
            device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    found = canvas.sent(touch) == HAT
    a, b = canvas.drawn(20, 12), canvas.drawn(40, 52)
    assert found[near(a, b, 2.9)].all()
    assert not found[~near(a, b, 3.01)].any()
    assert canvas.page.evaluate("scrollY") == scrolled
    canvas.page.context.close()


def test_fill_stops_at_other_classes(canvas):
    canvas.tool("hat")
    canvas.tool("Fill")
    found = canvas.drag((45, 30))
    assert np.array_equal(found, other_layout()[0].numpy())


def test_the_eyedropper_picks_a_class_and_gives_the_brush_back(canvas):
    canvas.tool("Pick a class from the layout")
    canvas.press((45, 30))
    assert canvas.page.get_by_role("radio", name="hair", exact=True).is_checked()
    assert canvas.page.get_by_role("radio", name="Brush").is_checked()
    assert canvas.drag((4, 4))[4, 4] == HAIR


def test_the_eraser_leaves_the_class_that_was_chosen(canvas):
    canvas.tool("Eraser")
    assert canvas.drag((18, 30))[30, 18] == 0
    canvas.page.get_by_label("Erase to").select_option("skin")
    assert canvas.drag((45, 30))[30, 45] == SKIN


def test_sixty_steps_of_undo_and_redo(canvas):
    canvas.brush(3)
    canvas.tool("hat")
    states = [start_layout()[0].numpy()]
    for k in range(60):
        place = (2 + k, 4 + 40 * (k % 2))
        canvas.press(place)
        states.append(states[-1].copy())
        states[-1][near(canvas.drawn(*place), canvas.drawn(*place), 1.5)] = HAT
    canvas.settles(states[60])
    canvas.page.get_by_role("button", name="echo").click()  # the same layout comes back from Python
    canvas.page.wait_for_timeout(300)
    canvas.element.focus()
    for steps, left in ((20, 40), (40, 0)):
        for _ in range(steps):
            canvas.key("Control+Z")
        canvas.settles(states[left])
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()
    for steps, done in ((25, 25), (35, 60)):
        for _ in range(steps):
            canvas.key("Control+Shift+Z")
        canvas.settles(states[done])
    assert canvas.page.get_by_role("button", name="Redo").is_disabled()


def test_a_new_stroke_ends_redo_and_an_empty_one_is_no_step(canvas):
    canvas.tool("hat")
    canvas.drag((4, 4))
    canvas.sent(lambda: canvas.key("Control+Z"))
    canvas.tool("skin")
    canvas.drag((18, 30), (19, 31), (4, 4))
    assert canvas.page.get_by_role("button", name="Redo").is_disabled()
    canvas.sent(lambda: canvas.key("Control+Z"))
    canvas.press((18, 30), (19, 31))  # skin on skin
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()


def test_a_layout_from_python_is_one_step_and_a_fresh_one_is_none(canvas):
    click = canvas.page.get_by_role("button", name="Undo").click
    canvas.page.get_by_role("button", name="other").click()
    canvas.page.get_by_role("button", name="Undo").and_(canvas.page.locator(":enabled")).wait_for()
    assert np.array_equal(canvas.sent(click), start_layout()[0].numpy())
    redone = canvas.sent(canvas.page.get_by_role("button", name="Redo").click)
    assert np.array_equal(redone, other_layout()[0].numpy())
    canvas.page.get_by_role("button", name="fresh").click()
    canvas.page.get_by_role("button", name="Undo").and_(canvas.page.locator(":disabled")).wait_for()


def test_clear_can_be_undone(canvas):
    clear = canvas.page.get_by_role("button", name="Clear the canvas").click
    with pytest.raises(ValueError, match="empty"):
        canvas.sent(clear)
    back = canvas.sent(canvas.page.get_by_role("button", name="Undo").click)
    assert np.array_equal(back, start_layout()[0].numpy())


def test_painting_by_keyboard_alone(canvas):
    page = canvas.page
    for _ in range(30):
        canvas.key("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    else:
        pytest.fail("Tab never reaches the canvas")
    for _ in range(3):
        canvas.key("[")  # a thinner brush
    canvas.key("y")
    canvas.key("Shift+ArrowUp")
    canvas.key("ArrowRight")
    assert page.get_by_role("status").filter(has_text="33, 22").count() == 1
    found = canvas.sent(lambda: canvas.key("Space"))  # one dab
    assert found[22, 33] == HAT
    canvas.key("Enter")  # lowers the brush
    canvas.key("Shift+ArrowLeft")
    canvas.key("Shift+ArrowLeft")
    found = canvas.sent(lambda: canvas.key("Enter"))
    assert (found[22, 13:34] == HAT).all()
    canvas.key("Enter")
    canvas.key("ArrowDown")
    canvas.key("Escape")  # gives this stroke up
    assert np.array_equal(canvas.sent(lambda: canvas.key("Control+Z"))[22, 20], SKIN)


def test_filling_and_picking_by_keyboard(canvas):
    canvas.element.focus()
    for _ in range(13):
        canvas.key("ArrowRight")  # from the middle onto the hair
    canvas.key("y")
    canvas.key("g")
    assert np.array_equal(canvas.sent(lambda: canvas.key("Enter")), other_layout()[0].numpy())
    canvas.key("1")
    canvas.key("i")
    canvas.key("Space")
    assert canvas.page.get_by_role("radio", name="hat", exact=True).is_checked()


def test_the_ring_has_the_size_of_the_brush(canvas):
    ring = canvas.page.locator(".ring")

    def width():
        return ring.evaluate("ring => ring.offsetWidth") * SIZE / canvas.box["width"]

    canvas.brush(8)
    canvas.page.mouse.move(*canvas.client(30, 20))
    assert width() == pytest.approx(8, abs=0.3)
    canvas.element.focus()
    for _ in range(4):
        canvas.key("]")  # the pointer rests meanwhile
    broad = float(canvas.page.locator('[data-part="size"]').input_value())
    assert broad > 8
    assert width() == pytest.approx(broad, abs=0.3)
    canvas.key("e")
    assert ring.is_visible()
    canvas.page.mouse.move(5, 5)
    assert not ring.is_visible()


def test_what_was_done_is_said(canvas):
    status = canvas.page.get_by_role("status")
    canvas.element.focus()
    canvas.key("y")
    for key, words in (
        ("Enter", "brush down"),
        ("Enter", "Painted hat"),
        ("Space", "Nothing changed"),
        ("g", "fill"),
        ("Space", "Nothing changed"),
        ("i", "pick"),
        ("Space", "Picked hat"),
        ("Control+Z", "Undone; 0 steps to undo, 1 to redo"),
    ):
        canvas.key(key)
        assert status.filter(has_text=words).count() == 1, (key, words)


def test_another_tool_during_a_stroke_ends_it(canvas):
    canvas.tool("hat")
    canvas.page.mouse.move(*canvas.client(4, 4))
    canvas.page.mouse.down()
    found = canvas.sent(lambda: canvas.page.keyboard.press("e"))
    assert found[4, 4] == HAT
    canvas.page.mouse.move(*canvas.client(18, 30))
    canvas.page.mouse.up()
    assert canvas.page.get_by_role("radio", name="Eraser").is_checked()
    assert canvas.drag((18, 30))[4, 4] == HAT
    assert canvas.layout()[30, 18] == 0


POINTER = """(canvas, [type, x, y, size, options]) => {
  canvas.setPointerCapture = () => {}; // no real pointer stands behind these events
  const box = canvas.getBoundingClientRect(), at = (v, side) => (v / size) * side;
  canvas.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + at(x, box.width), clientY: box.top + at(y, box.height),
    pointerId: 7, isPrimary: true, bubbles: true, ...options }));
}"""


def test_the_far_end_of_a_pen_erases(canvas):
    def pen():
        for kind in ("pointerdown", "pointerup"):
            options = {"pointerType": "pen", "button": 5}
            canvas.element.evaluate(POINTER, [kind, 18, 30, SIZE, options])

    assert canvas.sent(pen)[30, 18] == 0
    assert canvas.page.get_by_role("radio", name="Brush").is_checked()


def test_a_touch_that_the_system_takes_back_is_no_stroke(canvas):
    canvas.tool("hat")
    for kind in ("pointerdown", "pointercancel"):
        canvas.element.evaluate(POINTER, [kind, 18, 30, SIZE, {"pointerType": "touch"}])
    assert canvas.page.get_by_role("button", name="Undo").is_disabled()
    assert canvas.drag((45, 30))[30, 18] == SKIN


def test_the_photo_shows_through_as_much_as_is_wanted(canvas):
    opacity = canvas.page.get_by_label("How much the photo shows through")
    assert opacity.is_disabled()
    canvas.page.get_by_role("button", name="photo", exact=True).click()
    canvas.page.locator(".painter img").wait_for()
    for percent in (0, 70):
        opacity.fill(str(percent))
        shown = canvas.element.evaluate("canvas => getComputedStyle(canvas).opacity")
        assert float(shown) == pytest.approx(1 - percent / 100)


def test_a_stroke_names_the_document_that_it_was_painted_on(canvas):
    canvas.tool("hat")
    canvas.drag((4, 4))
    assert document_of(canvas.received[-1]) is None
    canvas.page.get_by_role("button", name="photo", exact=True).click()
    canvas.page.locator(".painter img").wait_for()
    canvas.drag((4, 4))
    assert document_of(canvas.received[-1]) == "a face"
    canvas.sent(lambda: canvas.key("Control+Z"))
    assert document_of(canvas.received[-1]) == "a face"


def test_every_control_has_a_name(canvas):
    for name in ("Brush", "Eraser", "Fill", *FACE.titles):
        assert canvas.page.get_by_role("radio", name=name, exact=True).count() == 1
    nameless = canvas.page.locator('[data-part="root"] :is(button, input, select, canvas)')
    names = nameless.evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim())"
    )
    assert len(names) > 25
    assert all(names)


def test_a_phone_sees_all_of_it_without_scrolling_sideways(browser, app):
    canvas = opened(browser, app, viewport={"width": 390, "height": 800}, has_touch=True)
    page = canvas.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    palette = page.get_by_role("radiogroup", name="Class to paint").bounding_box()
    assert palette["y"] >= canvas.box["y"] + canvas.box["height"]
    assert palette["x"] + palette["width"] <= 390
    page.context.close()


def test_no_request_leaves_the_machine(browser, app):
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app[0])
    page.locator("canvas").wait_for()
    page.wait_for_load_state("networkidle")
    outside = [url for url in asked if not url.startswith((app[0], "data:", "blob:"))]
    page.context.close()
    assert asked
    assert not outside


def test_every_class_and_every_tool_has_a_key_of_its_own(page):
    gradio = pytest.importorskip("gradio")
    with gradio.Blocks() as blocks:
        painter(FACE_FINE, SIZE, value=encode_value(start_layout()))
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    page.goto(url)
    page.locator(".swatch").last.wait_for()
    for part, count in (("palette", len(FACE_FINE)), ("tools", 9)):
        for radio in page.locator(f"[data-part={part}] input").all()[::-1]:
            page.locator("canvas").press(radio.get_attribute("aria-keyshortcuts"))
            assert radio.is_checked()
            count -= 1
        assert not count
    blocks.close()
