"""The painter's core, apart from any page, against a model of it in numpy."""

from collections import Counter

import numpy as np
import pytest

from semedit_lite.labels import FACE
from semedit_lite.ui.painter import CORE, HERE

from .model import TOOLS, Model

SIZE, BATCHES, BATCH = 40, 20, 500
DRIVER = """
const painting = new Painting(%d, %s, %s), { drawing } = painting;
const row = (y) => y * drawing.size;
const acts = { // the other calls are methods of a painting
  press: (x, y, reach, shift, tool) =>
    painting.pressed || painting.press({ x, y }, { reach, shift }, tool ?? painting.tool),
  drag: (x, y, reach, shift) => painting.pressed && painting.drag({ x, y }, { reach, shift }),
  lift: () => painting.pressed && painting.lift(),
  finish: () => painting.step && painting.finish(),
  give_up: () => painting.giveUp(),
  erase_with: (id) => (painting.eraseTo = id),
  receive(blocks, fresh) {
    const pixels = new Uint8Array(drawing.size ** 2);
    for (const [left, top, right, bottom, id] of blocks) {
      for (let y = top; y < bottom; y++) pixels.fill(id, row(y) + left, row(y) + right);
    }
    painting.receive(pixels, fresh);
  },
};
const seen = new Uint8Array(drawing.size ** 2); // what a screen shows that reads `unseen` alone
function look() {
  const { left, top, right, bottom } = drawing.unseen;
  drawing.unseen = NOTHING.box;
  for (let y = top; y < bottom && left < right; y++) {
    seen.set(drawing.pixels.subarray(row(y) + left, row(y) + right), row(y) + left);
  }
}
const sum = (pixels) => pixels.reduce((total, id, k) => total + id * ((k * 7919) %% 10007), 0);
const run = (calls) => calls.map(([name, ...args]) => {
  acts[name] ? acts[name](...args) : painting[name](...args);
  look();
  const { pixels, past } = drawing;
  return [sum(pixels), sum(seen), Math.max(...pixels), past.length, painting.tool];
});
"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    core = "".join((HERE / name).read_text(encoding="utf-8") for name in CORE)
    pairs = [list(pair) for pair in FACE.pairs]
    page.add_script_tag(content=core + DRIVER % (SIZE, list(FACE.classes), pairs))
    yield page
    page.close()


def drawn(page, calls: list[list]) -> np.ndarray:
    """What is on the drawing after these calls, (SIZE, SIZE)."""
    pixels = page.evaluate("calls => { run(calls); return [...drawing.pixels] }", calls)
    return np.reshape(pixels, (SIZE, SIZE))


def random_calls(rng: np.random.Generator, count: int) -> list[list]:
    """`count` calls: whole gestures, and what else can happen between and during them."""

    def point() -> list[float]:
        return (rng.integers(-8 * 4, (SIZE + 8) * 4, 2) / 4).tolist()

    def class_() -> int:
        return int(rng.integers(len(FACE)))

    def block() -> list[int]:
        (left, right), (top, bottom) = np.sort(rng.integers(0, SIZE, (2, 2))).tolist()
        return [left, top, right, bottom, class_()]

    def tool() -> str:
        return str(rng.choice(TOOLS, p=[0.1, 0.08, 0.1, 0.1, 0.2, 0.06, 0.03, 0.3, 0.03]))

    others = {  # name: weight, arguments
        "use": (22, lambda: [tool()]),
        "choose": (14, lambda: [class_()]),
        "mirror": (12, lambda: [bool(rng.integers(2))]),
        "undo": (8, list),
        "resize": (7, lambda: [int(rng.integers(-2, 14))]),
        "redo": (6, list),
        "nudge": (14, lambda: rng.integers(-12, 13, 2).tolist()),
        "grow": (12, lambda: [int(rng.choice([-4, -1, 1, 3]))]),
        "finish": (4, list),
        "back": (3, list),
        "give_up": (3, list),
        "erase_with": (3, lambda: [class_()]),
        "remove": (2, list),
        "clear": (2, list),
        "receive": (2, lambda: [[block() for _ in range(4)], bool(rng.random() < 0.05)]),
        "press": (2, lambda: [*point(), 0, False, "eraser"]),  # the far end of a pen
    }
    weights = np.array([weight for weight, _ in others.values()])

    def other() -> list:
        name = str(rng.choice(list(others), p=weights / weights.sum()))
        return [name, *others[name][1]()]

    found: list[list] = []
    while len(found) < count:
        keys = [float(rng.choice([0, 1, 2, 4])), bool(rng.random() < 0.25)]  # reach, shift
        found.append(["press", *point(), *keys])
        for _ in range(rng.choice([0, 0, 1, 2, 5])):
            found.append(["drag", *point(), *keys] if rng.random() < 0.95 else other())
        found.append(["lift"] if rng.random() < 0.95 else ["back"])
        while rng.random() < 0.6:
            found.append(other())
    return found[:count]


def test_ten_thousand_random_calls_do_what_the_model_says(page):
    """After each call the drawing, what a screen shows of it and the number of steps are those of
    the model; after each batch undo leads back as far as steps are kept, and redo to the end."""
    rng, model = np.random.default_rng(0), Model(SIZE, len(FACE), FACE.pairs)
    weights = np.arange(SIZE * SIZE) * 7919 % 10007
    tried = Counter()  # calls that left a step open
    deepest = 0

    def agree(batch: list[list]) -> None:
        found = page.evaluate("calls => run(calls)", batch)
        for call, (drawing, seen, most, steps, tool) in zip(batch, found, strict=True):
            getattr(model, call[0])(*call[1:])
            expected = int(model.ids.ravel() @ weights)
            assert (drawing, seen, steps, tool) == (expected, expected, model.now, model.tool), call
            assert most < len(FACE), call
            if model.step:
                tried[model.step["tool"], call[0]] += 1

    for _ in range(BATCHES):
        agree(random_calls(rng, BATCH))
        assert np.array_equal(drawn(page, []), model.ids)
        agree([["give_up"]])
        kept, end, steps = model.now, model.ids.copy(), len(model.states) - 1
        deepest = max(deepest, kept)
        agree([["undo"]] * (kept + 1))  # once more than there is something to undo
        assert np.array_equal(model.ids, model.states[0])
        agree([["redo"]] * (steps + 1))
        agree([["undo"]] * (steps - kept))
        assert np.array_equal(drawn(page, []), end)
    assert deepest == 100  # no more are kept
    for call in (("lasso", "lift"), *(("select", c) for c in ("lift", "mirror", "nudge", "grow"))):
        assert tried[call] > 20, call


def test_a_moved_eye_leaves_skin(page):
    eye, skin, hair = FACE.id("l_eye"), FACE.id("skin"), FACE.id("hair")
    face = [[0, 0, SIZE, SIZE, skin], [0, 0, SIZE, 8, hair], [10, 12, 20, 16, eye]]
    select = [["use", "select"], ["press", 12, 13, 1, False], ["lift"]]
    found = drawn(page, [["receive", face, True], *select, ["nudge", 9, 11], ["finish"]])
    expected = np.full((SIZE, SIZE), skin)
    expected[:8], expected[23:27, 19:29] = hair, eye
    assert np.array_equal(found, expected)


def test_mirroring_exchanges_the_classes_of_a_pair_only_if_both_are_selected(page):
    left, right = FACE.id("l_eye"), FACE.id("r_eye")
    eyes = [[4, 10, 8, 14, right], [30, 10, 34, 14, left]]
    start = np.zeros((SIZE, SIZE), dtype=int)
    start[10:14, 4:8], start[10:14, 30:34] = right, left

    def mirrored(from_x: float, to_x: float) -> np.ndarray:
        select = [["press", from_x, 8, 0, False], ["drag", to_x, 16, 0, False], ["lift"]]
        calls = [["receive", eyes, True], ["use", "select"], *select, ["mirror", True], ["finish"]]
        return drawn(page, calls)

    assert np.array_equal(mirrored(2, 35.5), start)  # a right eye is on the picture's left again
    start[10:14, 4:8], start[10:14, 6:10] = 0, right
    assert np.array_equal(mirrored(2, 11.5), start)
