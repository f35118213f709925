"""The conversion of the original wheel, in float32, against the original runtime."""

import os
from pathlib import Path

import pytest
from parity.test_mobilestylegan import FIXTURE, pictures

WHEEL = os.environ.get("SEMEDIT_RANDOM_FACE")


@pytest.mark.skipif(WHEEL is None, reason="SEMEDIT_RANDOM_FACE does not name the original wheel")
def test_conversion(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    from convert_mobilestylegan import convert

    crops, means = pictures(convert(Path(WHEEL)))
    assert (crops - FIXTURE["crops"]).abs().max() < 2e-4
    assert (means - FIXTURE["means"]).abs().max() < 2e-5
