"""A photo with several faces, or none, in the page's API: the visitor chooses."""

import json

import numpy as np
import pytest
from PIL import Image

gradio_client = pytest.importorskip("gradio_client")

from test_api import SKIPPED, joined, pixels  # noqa: E402

from semedit_lite.images import to_pil  # noqa: E402

SEEDS = (1_000_010, 1_000_012)
PLACES = ((10, 20, 300), (330, 60, 220))  # left, top, side; the larger one first


@pytest.fixture
def client(studio):
    return joined(studio)


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """The file of a picture of two people."""
    from semedit_lite.data.faces import paint

    page = Image.new("RGB", (600, 340), (110, 130, 120))
    for seed, (left, top, side) in zip(SEEDS, PLACES, strict=True):
        page.paste(to_pil(paint([seed], 256)["image"]).resize((side, side)), (left, top))
    path = tmp_path_factory.mktemp("photos") / "two.png"
    page.save(path)
    return path


def opened(client, path):
    return client.predict(gradio_client.handle_file(path), api_name="/open")


def choose(client, choice):
    return client.predict(json.dumps(choice), api_name="/choose_face")


def shows(picture, place, group):
    """How well an aligned face agrees with what the photo shows there."""
    left, top, side = place
    head = Image.open(group).crop((left, top, left + side, top + side)).resize((256, 256))
    middle = slice(90, 200), slice(70, 186)
    a, b = (x[middle].ravel() - x[middle].mean() for x in (pixels(picture), np.asarray(head) * 1.0))
    return (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())


def test_the_largest_is_opened_and_another_may_be_chosen(client, group):
    _, before, _, _, choice = opened(client, group)
    assert shows(before, PLACES[0], group) > 0.6 > shows(before, PLACES[1], group)
    offered = json.loads(choice)
    assert offered["size"] == [600, 340]
    assert len(offered["faces"]) == 2
    _, before, result, scores, choice = choose(client, {"face": 1})
    assert shows(before, PLACES[1], group) > 0.6 > shows(before, PLACES[0], group)
    assert choice == ""
    assert scores["classes"] == {}
    assert np.array_equal(pixels(result), pixels(before))


def test_a_square_laid_by_hand(client, group):
    opened(client, group)
    left, top, side = PLACES[1]
    _, before, *_ = choose(client, {"square": [left + side / 2, top + side / 2, side, 0]})
    assert shows(before, PLACES[1], group) > 0.97  # the very square that was pasted


def test_where_no_face_is_found_the_square_remains(client, group, tmp_path):
    """The page then shows the photo to lay a square over it; the picture on it stays."""
    Image.new("RGB", (300, 200), (90, 120, 90)).save(tmp_path / "wall.png")
    with pytest.raises(gradio_client.exceptions.AppError, match="No face was found"):
        opened(client, tmp_path / "wall.png")


def test_cancelling_leaves_all_as_it_was(client, group):
    canvas, *_ = opened(client, group)
    _, shown, *_, choice = choose(client, {"cancel": True})
    assert shown == SKIPPED
    assert choice == ""
    assert client.predict(canvas, api_name="/paint")[0] != SKIPPED


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"face": 2}, "face"),
        ({"square": [0, 0, float("nan"), 0]}, "square"),
        ({"square": [-50, 20, 100, 0]}, "square"),
        ({"mouth": 1}, "choice is sent as"),
        ("the second one", "choice is sent as"),
    ],
)
def test_other_choices_are_refused(client, group, choice, sentence):
    opened(client, group)
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        choose(client, choice)


def test_nobody_chooses_in_the_photo_of_another(client, studio, group):
    opened(client, group)
    with pytest.raises(gradio_client.exceptions.AppError, match="upload one first"):
        choose(joined(studio), {"face": 0})
