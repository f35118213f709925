"""scripts/ablation.py: that its second average is one, and that runs of two lengths do not mix."""

import argparse
import importlib
import json
import sys
from functools import partial

import pytest
from test_spade_recipe import recipe as toy

from semedit_lite.errors import InputError
from semedit_lite.evaluation.report import ROOT
from semedit_lite.models.spade import GauGAN
from semedit_lite.training.trainer import train


@pytest.fixture(scope="module")
def ablation():
    sys.path.insert(0, str(ROOT / "scripts"))
    return importlib.import_module("ablation")


def test_the_longer_average_lags_behind_and_stays_as_training_left_it(ablation, tmp_path):
    recipe = toy(kind=partial(ablation.Watched, 1))

    def behind(average) -> float:
        both = zip(average.parameters(), recipe.gaugan.parameters(), strict=True)
        return sum((a - b).abs().sum().item() for a, b in both)

    best = train(recipe, tmp_path, steps=12, decay=0.9, every=1e9, show=False)
    assert recipe.steps == 12
    recipe.longer.update(recipe.steps)
    longer = recipe.longer.networks["gaugan"]
    lag = behind(longer)
    assert lag > behind(best["gaugan"]) > 0
    recipe.renew_statistics(longer)
    assert behind(longer) == lag


def test_spectral_norm_is_taken_off_and_the_weights_stay(ablation):
    network = GauGAN(classes=2, size=32, width=2, max_width=8, hidden=4, z_dim=4, encoder_width=4)
    names = [name for name in network.state_dict() if "parametrizations" in name]
    plain = ablation.without_spectral_norm(network).state_dict()
    assert names
    assert not [name for name in plain if "parametrizations" in name]


def test_runs_of_another_length_are_refused(ablation, tmp_path):
    asked = argparse.Namespace(minutes=3, seed=0, out=tmp_path / "ablation.json")
    assert ablation.read(asked)["runs"] == {}
    asked.out.write_text(json.dumps({"minutes": 3, "runs": {"x": {"0": {}}}}), encoding="utf-8")
    assert ablation.done(asked, "x")
    asked.minutes = 4
    with pytest.raises(InputError, match="holds runs of 3 minutes"):
        ablation.read(asked)
