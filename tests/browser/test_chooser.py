"""The photo on which a face is chosen, in a real browser: Python receives what was chosen."""

import json
import time

import numpy as np
import pytest
from PIL import Image

from semedit_lite.faces.frames import Frame
from semedit_lite.faces.framing import TEMPLATE
from semedit_lite.ui.chooser import LARGEST, chooser, decode, encode

SIZE = (1500, 1000)  # larger than what is shown of it
# As a finder returns them, the surest first; people read them from left to right, row by row.
CENTRES = [(1250, 260), (260, 250), (750, 740), (750, 270), (250, 760), (1240, 750)]
READ = [1, 3, 0, 4, 2, 5]
FACES = [{"box": [x - 110, y - 140, x + 110, y + 140], "score": 0.9} for x, y in CENTRES]
ALONE = (900, 1200)  # the photo in which none was found


def collage() -> Image.Image:
    """Two faces, three times each, in two rows, as in a photo of a group."""
    from semedit_lite.data.faces import faces
    from semedit_lite.images import to_pil

    photo = Image.new("RGB", SIZE)
    two = [to_pil(sample["image"][None]).resize((500, 500)) for sample in faces(2, 256)]
    for k in range(6):
        photo.paste(two[k % 2], (500 * (k % 3), 500 * (k // 3)))
    return photo


@pytest.fixture(scope="module")
def app():
    gradio = pytest.importorskip("gradio")
    from semedit_lite.ui.theme import STYLE, theme

    received: list[str] = []
    group = collage()
    answers = {
        "group": lambda: encode(group, FACES),
        "one": lambda: encode(group, FACES[:1]),
        "none": lambda: encode(group.resize(ALONE)),
        "nothing": lambda: "",
    }
    with gradio.Blocks() as blocks:
        with gradio.Row(elem_classes=["panels"]):
            with gradio.Column(visible=False) as column:
                choice = chooser("Face in your photo", elem_id="face")
        for name, answer in answers.items():
            button = gradio.Button(name)
            shown = button.click(answer, None, choice, show_progress="hidden")
            shown.then(lambda: gradio.Column(visible=True), None, column, show_progress="hidden")
        choice.input(received.append, choice, trigger_mode="multiple", show_progress="hidden")
    wide = ".gradio-container { width: 100% }"
    _, url, _ = blocks.launch(
        prevent_thread_lock=True,
        quiet=True,
        run_history=False,
        theme=theme(),
        css=wide,
        css_paths=[STYLE],
    )
    yield url, received
    blocks.close()


class Photo:
    """A chooser on a page, and the values that its app has received."""

    def __init__(self, page, received: list[str], size: tuple[int, int] = SIZE):
        self.page, self.received, self.size = page, received, size

    def show(self, name: str, size: tuple[int, int] = SIZE) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        ratio = f"{size[0] / size[1]:.3f}"
        self.page.wait_for_function(
            "ratio => { const photo = document.querySelector('.chooser img');"
            " return photo?.naturalWidth && photo.offsetParent"
            " && Math.abs(photo.naturalWidth / photo.naturalHeight - ratio) < 0.01; }",
            arg=ratio,
        )
        self.size = size

    def click(self, name: str) -> None:
        self.page.locator(".chooser").get_by_role("button", name=name).click()

    def key(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(name)

    @property
    def scale(self) -> float:
        """CSS pixels of a pixel of the photo."""
        return self.box["width"] / self.size[0]

    @property
    def box(self) -> dict[str, float]:
        return self.page.locator(".chooser img").bounding_box()

    def client(self, point: complex) -> tuple[float, float]:
        """Where on the page a point of the photo is."""
        return self.box["x"] + point.real * self.scale, self.box["y"] + point.imag * self.scale

    def drag(self, start: complex, stop: complex) -> None:
        mouse = self.page.mouse
        mouse.move(*self.client(start))
        mouse.down()
        mouse.move(*self.client((start + stop) / 2))
        mouse.move(*self.client(stop))
        mouse.up()

    def sent(self, act):
        """Does something that chooses; returns what Python then receives, decoded."""
        before = len(self.received)
        act()
        deadline = time.monotonic() + 20
        while len(self.received) == before:
            assert time.monotonic() < deadline, "no choice reached Python"
            self.page.wait_for_timeout(10)
        return decode(self.received[-1], self.size, len(FACES))

    def used(self) -> list[float]:
        """The numbers of the square, once it is used."""
        self.sent(lambda: self.click("Use this square"))
        return json.loads(self.received[-1])["square"]

    def element(self):
        return self.page.get_by_role("application", name="Square over the face")


@pytest.fixture
def opened(browser, app):
    """Opens the page in windows of any size."""
    contexts = []

    def open_(width: int = 1280, height: int = 900, **options) -> Photo:
        view = {"width": width, "height": height}
        context = browser.new_context(viewport=view, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(app[0])
        app[1].clear()
        return Photo(page, app[1])

    yield open_
    for context in contexts:
        context.close()


WIDTHS = pytest.mark.parametrize(
    "window",
    [
        {},
        {"device_scale_factor": 1.25, "width": 1024, "height": 720},
        {"width": 390, "height": 800},
    ],
    ids=["1280", "zoomed to 125 %", "390"],
)


@WIDTHS
def test_a_click_on_a_face_chooses_it(opened, window):
    photo = opened(**window)
    photo.show("group")
    for face, centre in enumerate(CENTRES):
        point = photo.client(complex(*centre))
        assert photo.sent(lambda point=point: photo.page.mouse.click(*point)) == face
    chosen = photo.page.locator("[data-chosen]")
    assert chosen.get_attribute("aria-label") == "Face 6 of 6, bottom right"
    assert photo.sent(chosen.click) == face  # once more, after an error for example


def test_each_box_lies_over_its_face(opened):
    photo = opened()
    photo.show("group")
    for k, face in enumerate(READ):
        (left, top), (right, bottom) = np.reshape(FACES[face]["box"], (2, 2))
        found = photo.page.locator(".face").nth(k).bounding_box()
        x, y = photo.client(complex(left, top))
        size = ((right - left) * photo.scale, (bottom - top) * photo.scale)
        assert (found["x"], found["y"]) == pytest.approx((x, y), abs=0.5)
        assert (found["width"], found["height"]) == pytest.approx(size, abs=0.5)


def test_a_face_is_chosen_by_keyboard(opened):
    photo = opened()
    photo.show("group")
    photo.page.get_by_role("button", name="Face 1 of 6, top left").focus()
    for k, face in enumerate(READ):
        assert photo.sent(lambda: photo.key("Enter")) == face
        name = photo.page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert name.startswith(f"Face {k + 1} of 6, ")
        photo.key("Tab")
    photo.key("Tab")  # past "None of these"
    assert photo.sent(lambda: photo.key("Space")) is None


def test_cancelling(opened):
    photo = opened()
    photo.show("group")
    assert photo.sent(lambda: photo.click("Cancel")) is None
    photo.show("none", ALONE)
    assert photo.sent(lambda: photo.click("Cancel")) is None
    photo.element().focus()
    assert photo.sent(lambda: photo.key("Escape")) is None


@WIDTHS
def test_the_square_is_where_it_was_dragged_to(opened, window):
    photo = opened(**window)
    photo.show("none", ALONE)
    side = 630
    assert photo.used() == [450, 600, side, 0]
    photo.drag(500 + 650j, 390 + 477j)
    assert photo.used() == pytest.approx([340, 427, side, 0], abs=1)
    photo.drag(complex(340, 427) + side / 2 * (1 + 1j), 340 + 427j + 200 + 200j)  # a corner
    assert photo.used() == pytest.approx([340, 427, 400, 0], abs=1)
    photo.click("Turn to the right")
    photo.click("Turn to the right")
    square = [340, 427, 400, 10]
    assert photo.used() == pytest.approx(square, abs=1)
    corner = Frame.square(340 + 427j, 400, 10)
    goal = Frame.square(340 + 427j, 520, 10)
    photo.drag(corner.b, goal.b)  # its upper left corner
    assert photo.used() == pytest.approx([340, 427, 520, 10], abs=1)
    photo.drag(340 + 427j, -200 + 3000j)  # its centre stays in the photo
    assert photo.used() == pytest.approx([0, 1200, 520, 10], abs=1)


def test_a_press_beside_the_square_brings_it_there(opened):
    photo = opened()
    photo.show("none", ALONE)
    photo.drag(60 + 1100j, 90 + 1000j)
    assert photo.used() == pytest.approx([90, 1000, 630, 0], abs=1)


@WIDTHS
def test_keys_move_resize_and_turn_the_square(opened, window):
    photo = opened(**window)
    photo.show("none", ALONE)
    photo.element().focus()
    x, y, side, degrees = 450, 600, 630, 0
    for key, times, dx, dy in (
        ("ArrowLeft", 3, -0.03, 0),
        ("Shift+ArrowDown", 2, 0, 0.1),
        ("ArrowUp", 1, 0, -0.01),
        ("Shift+ArrowRight", 1, 0.05, 0),
    ):
        photo.key(key, times)
        x, y = x + dx * side, y + dy * side
        assert photo.used() == pytest.approx([x, y, side, degrees], abs=0.02)
        photo.element().focus()
    photo.key("+", 3)
    photo.key("-", 5)
    side /= 1.05**2
    photo.key("]", 4)
    photo.key("[", 7)
    frame = photo.sent(lambda: photo.key("Enter"))
    expected = Frame.square(complex(x, y), side, -15)
    assert frame.a == pytest.approx(expected.a, abs=0.1)
    assert frame.b == pytest.approx(expected.b, abs=0.1)
    status = photo.page.get_by_role("status").filter(has_text="turned by -15 degrees")
    assert status.count() == 1
    photo.key("[", 40)  # past upside down
    assert photo.used()[3] == 145


def test_the_wheel_resizes_within_limits_and_beside_the_square_scrolls(opened):
    photo = opened()
    photo.page.evaluate("document.body.style.minHeight = '3000px'")
    photo.show("none", ALONE)
    photo.page.mouse.move(*photo.client(450 + 600j))
    photo.page.mouse.wheel(0, -100)
    assert photo.used()[2] == pytest.approx(630 * np.exp(0.1), abs=1)
    for turn, limit in ((-9000, LARGEST * 1200), (9000, 16)):
        photo.page.mouse.move(*photo.client(450 + 600j))
        photo.page.mouse.wheel(0, turn)
        assert photo.used() == [450, 600, limit, 0]
    before = photo.page.evaluate("scrollY")
    photo.page.mouse.move(*photo.client(20 + 600j))
    photo.page.mouse.wheel(0, 50)
    photo.page.wait_for_function("before => scrollY > before", arg=before)
    assert photo.used()[2] == 16


def touch(photo: Photo, kind: str, fingers: dict[int, complex]) -> None:
    """Where fingers come down or are now; with "touchEnd", which of them are lifted."""
    if not hasattr(photo, "device"):
        photo.device = photo.page.context.new_cdp_session(photo.page)
    places = [
        {"id": k} | dict(zip("xy", photo.client(point), strict=True))
        for k, point in fingers.items()
    ]
    photo.device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def test_fingers_move_scale_and_turn_the_square_and_nothing_scrolls(opened):
    photo = opened(390, 844, has_touch=True, is_mobile=True)
    photo.page.evaluate("document.body.style.minHeight = '3000px'")
    photo.show("none", ALONE)
    before = photo.page.evaluate("[scrollY, visualViewport.scale]")
    touch(photo, "touchStart", {0: 450 + 600j})
    touch(photo, "touchMove", {0: 450 + 500j})
    touch(photo, "touchMove", {0: 400 + 480j})
    touch(photo, "touchEnd", {})
    assert photo.used() == pytest.approx([400, 480, 630, 0], abs=1)
    # Two fingers around the centre move, come half as close and turn by a quarter.
    a, b, c, d = 250 + 480j, 550 + 480j, 500 + 525j, 500 + 675j
    touch(photo, "touchStart", {0: a})
    touch(photo, "touchStart", {0: a, 1: b})
    for t in (0.25, 0.5, 0.75, 1):
        touch(photo, "touchMove", {0: a + t * (c - a), 1: b + t * (d - b)})
    touch(photo, "touchEnd", {0: c})  # the other goes on
    touch(photo, "touchMove", {1: d - 50j})
    touch(photo, "touchEnd", {})
    assert photo.used() == pytest.approx([500, 550, 315, 90], abs=1)
    assert photo.page.evaluate("[scrollY, visualViewport.scale]") == before


def test_the_marks_lie_where_the_generator_has_eyes_nose_and_mouth(opened):
    photo = opened()
    photo.show("none", ALONE)
    photo.element().focus()
    photo.key("]", 4)
    x, y, side, degrees = photo.used()
    frame = Frame.square(complex(x, y), side, degrees)
    for name in ("l_eye", "r_eye", "nose", "mouth"):
        place = photo.client(frame.a * TEMPLATE[name] + frame.b)
        near = photo.page.evaluate(
            """([x, y]) => { // CSS pixels from a place of the page to the nearest mark
              const path = document.querySelector('.square path'), matrix = path.getScreenCTM();
              const length = path.getTotalLength();
              return Math.min(...Array.from({ length: 800 }, (_, k) => {
                const at = path.getPointAtLength((length * k) / 800).matrixTransform(matrix);
                return Math.hypot(at.x - x, at.y - y);
              })); }""",
            place,
        )
        assert near < 0.03 * side * photo.scale, name


def test_people_may_choose_it_themselves_and_go_back(opened):
    photo = opened()
    photo.show("group")
    photo.click("None of these: choose it myself")
    assert photo.page.locator(".face:visible").count() == 0
    assert photo.element().evaluate("square => square === document.activeElement")
    frame = photo.sent(lambda: photo.key("Enter"))
    assert frame == Frame.square(750 + 500j, 700)
    photo.click("Back to the faces")
    assert photo.page.locator(".face:visible").count() == 6
    assert not photo.element().is_visible()
    assert photo.sent(lambda: photo.key("Enter")) == READ[0]


@pytest.mark.parametrize(
    ("name", "size", "line"),
    [
        ("group", SIZE, "6 faces were found. Choose one."),
        ("one", SIZE, "One face was found. Choose it, or lay a square over another."),
        ("none", ALONE, "No face was found. Lay the square over it"),
    ],
)
def test_what_was_found_is_shown_and_said(opened, name, size, line):
    photo = opened()
    photo.show(name, size)
    root = photo.page.get_by_role("group", name="Face in your photo")
    assert root.locator("p", has_text=line).is_visible()
    assert root.get_by_role("status").filter(has_text=line).count() == 1
    nameless = root.locator(":is(button, [tabindex]):visible").evaluate_all(
        "all => all.filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"
    )
    assert nameless == 0


def test_a_new_photo_takes_the_place_of_the_old_one_and_none_shows_nothing(opened):
    photo = opened()
    photo.show("none", ALONE)
    photo.element().focus()
    photo.key("]")
    photo.show("group")
    assert photo.page.locator(".face:visible").count() == 6
    photo.click("None of these")
    photo.sent(lambda: photo.click("Cancel"))
    photo.show("group")  # the same photo once more
    photo.page.locator(".face:visible").nth(5).wait_for()
    photo.show("none", ALONE)
    assert photo.used() == [450, 600, 630, 0]
    photo.page.get_by_role("button", name="nothing", exact=True).click()
    photo.page.locator(".chooser").wait_for(state="hidden")


@pytest.mark.parametrize("width", [390, 1280])
def test_all_of_it_is_on_the_screen(opened, width):
    photo = opened(width, 800)
    for name, size in (("group", SIZE), ("none", ALONE)):
        photo.show(name, size)
        assert photo.page.evaluate("document.documentElement.scrollWidth") <= width
        for button in photo.page.locator(".chooser button:visible").all():
            found = button.bounding_box()
            assert found["x"] >= 0
            assert found["x"] + found["width"] <= width
            assert found["y"] + found["height"] <= 800
            assert min(found["width"], found["height"]) >= 24


def test_nothing_is_asked_of_other_machines(browser, app):
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app[0])
    Photo(page, app[1]).show("group")
    page.wait_for_load_state("networkidle")
    page.context.close()
    assert asked
    assert all(url.startswith((app[0], "data:", "blob:")) for url in asked)
