"""The values that travel between sliders on a page and Python."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.errors import InputError
from semedit_lite.ui.sliders import (
    REFINE,
    Slider,
    decode_sliders,
    encode_sliders,
    wanted_slider,
)

KNOWN = {
    "smile": Slider("smile", "Smile"),
    "jaw": Slider("jaw", "Jaw", -1, 1.5),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["values", "refine", "smile", "jaw", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.floats(-2, 2), st.floats(-1, 1.5), st.sampled_from(REFINE), st.booleans())
def test_sliders_come_as_they_stand(smile, jaw, refine, text):
    value = {"values": {"smile": smile, "jaw": jaw}, "refine": refine}
    values, steps = decode_sliders(json.dumps(value) if text else value, KNOWN)
    assert steps == refine
    assert values == {name: at for name, at in value["values"].items() if at}


@pytest.mark.parametrize("value", ["", "{}", {}, {"values": {}}, {"refine": 0}, {"at": {"jaw": 1}}])
def test_what_says_nothing_moves_nothing(value):
    assert decode_sliders(value, KNOWN) == ({}, 0)


@settings(max_examples=300)
@given(ANYTHING, st.booleans())
def test_whatever_comes_is_within_its_range_or_refused_with_a_sentence(value, text):
    try:
        values, refine = decode_sliders(json.dumps(value) if text else value, KNOWN)
    except InputError as error:
        assert str(error).endswith((".", "}."))  # noqa: PT017
        return
    assert refine in REFINE
    for name, at in values.items():
        assert KNOWN[name].low <= at <= KNOWN[name].high


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"values": {"jaw": 2}}, "'jaw' goes from -1 to 1.5"),
        ({"values": {"x" * 99: 1}}, "There is no slider 'x{40}'; there are smile, jaw."),
        ({"values": {"jaw": 10**400}}, "goes from"),
        ({"refine": True}, "0, 10, 30"),
        ('{"values":' * 100_000, "sent as"),
        (None, "sent as"),
        (7, "sent as"),
    ],
    ids=["range", "unknown", "huge", "refine", "nested", "none", "number"],
)
def test_the_sentence_says_what_is_wrong(value, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_sliders(value, KNOWN)


def test_python_says_only_what_changes():
    groups = {"Mouth": [KNOWN["smile"]], "Eyes": []}
    given = json.loads(encode_sliders(groups, {"smile": 0.5}, ""))
    assert [group["title"] for group in given["groups"]] == ["Mouth"]  # none without sliders
    assert given["groups"][0]["sliders"][0] == {
        **{"name": "smile", "title": "Smile", "low": -2, "high": 2, "own": False},
    }
    assert (given["at"], given["busy"]) == ({"smile": 0.5}, "")
    assert json.loads(encode_sliders()) == {}
    assert json.loads(encode_sliders(busy="wait")) == {"busy": "wait"}


def test_a_file_is_asked_for_by_name():
    assert wanted_slider('{"values": {}, "wanted": "smile"}') == "smile"
    for value in ("", "{}", '{"wanted": 3}', "smile"):
        with pytest.raises(InputError, match="sent as"):
            wanted_slider(value)
