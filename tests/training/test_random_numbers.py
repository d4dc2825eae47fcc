"""If user-defined objects draw random numbers, evaluations change no training, and resumed runs end the same."""

import json

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint, same_state
from pytorch_lightning import seed_everything

pytestmark = pytest.mark.slow

MODULE = """
import random
import numpy as np
import torch
from pytorch_lightning import Callback
from ganexp.metrics.score import Score
from ganexp.models import mlp

def drawn():
    return float(torch.rand(())) + np.random.rand() + np.random.randn() + random.random()

class Noisy(mlp.Generator):
    def forward(self, z, labels=None):
        return super().forward(z, labels) + 0.1 * torch.randn(len(z), 1, 1, 1, device=z.device) + 0.1 * drawn()

class NoisyDiscriminator(mlp.Discriminator):
    def forward(self, images, labels=None):
        return super().forward(images + 0.1 * torch.randn_like(images) + 0.1 * drawn(), labels)

class Brightness:
    def __call__(self, images):
        return images + 0.1 * drawn()

class Drawing(Callback):
    def on_validation_end(self, trainer, pl_module):
        pl_module.log_values({"drawn": drawn()})

class Level(Score):
    higher_is_better = True

    def __init__(self, context):
        super().__init__(context)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, images):
        self.total += images.sum() + drawn()

    def compute(self):
        return {self.value_names()[0]: self.total + drawn()}

    def value_names(self):
        return [f"level_{self.context.extractor}"]
"""
WORDS = (
    *(word for word in TINY if not word.startswith(("schedule.evaluate_every", "metrics="))),
    "data=digits",
    "model=mlp",
    "metrics.samples=50",
    "metrics.extractor.updates=5",
    "metrics.batch_size=25",
    "metrics.cache=cache",
    "callbacks=discriminator_logits",
    "model.generator._target_=chance.Noisy",
    "model.discriminator._target_=chance.NoisyDiscriminator",
    "+augment.own={_target_: chance.Brightness}",
    "+callbacks.own={_target_: chance.Drawing}",
    "+metrics.scores.own={_target_: chance.Level}",
    "trainer=cpu",
)


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    """Write the user's module, and let the commands of all tests import it."""
    directory = tmp_path_factory.mktemp("module")
    (directory / "chance.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(directory)
        patch.setenv("GANEXP_TRUST", "chance")
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Train three runs with evaluations after every step, every second step and every fourth step.

    The names of the run directories are the numbers of steps between two evaluations.
    """
    directory = tmp_path_factory.mktemp("runs")
    for every in (1, 2, 4):
        ganexp(*WORDS, f"schedule.evaluate_every={every}", f"hydra.run.dir={every}", cwd=directory)
    return directory


def weights_and_states(run):
    checkpoint = last_checkpoint(run)
    parts = {part: checkpoint[part] for part in ("state_dict", "optimizer_states", "StreamData")}
    return parts | {"random": checkpoint["callbacks"]["RandomState"]}


def test_evaluations_of_random_parts_change_no_training(runs):
    reference = weights_and_states(runs / "4")
    assert same_state(reference, weights_and_states(runs / "1"))
    assert same_state(reference, weights_and_states(runs / "2"))


def test_resumed_run_with_random_parts_ends_with_the_same_bits(runs, tmp_path):
    words = (*WORDS, "schedule.evaluate_every=2", "schedule.steps=2", f"metrics.cache={runs / 'cache'}")
    ganexp(*words, "hydra.run.dir=resumed", cwd=tmp_path)
    ganexp("resume", "resumed", "schedule.steps=4", cwd=tmp_path)
    assert same_state(weights_and_states(runs / "2"), weights_and_states(tmp_path / "resumed"))


def test_checkpoint_with_random_parts_has_one_score(runs):
    file, found = runs / "4" / "scores-last.json", []
    for seed in (1, 2):
        seed_everything(seed, verbose=False)  # each evaluation starts with another random state
        ganexp("evaluate", "ckpt=4/checkpoints/last.ckpt", "samples=50", "metrics/score=[fid]", cwd=runs)
        facts = json.loads(file.read_text())
        found.append((facts["scores"], facts["d_logit"]))
        file.unlink()
    assert found[0] == found[1]
