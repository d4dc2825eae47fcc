"""The output of `ganexp describe`: readable text on a terminal, and JSON elsewhere."""

import json
import sys

import pytest

from ganexp.commands.description_text import print_description

RUN = {
    "experiment": None,
    "data": {"source": "digits", "flip": False, "images": {"train": {"0": 1500, "1": 20}, "test": 300}},
    "generator": {"name": "mlp.Generator", "parameters": 98880, "settings": {"channels": 1, "hidden": [256, 2]}},
    "optimizers": {"generator": {"_target_": "torch.optim.Adam", "lr": 0.001, "fused": True}},
    "auxiliary": {},
    "keep_at": [],
    "steps": 3000,
    "estimate": {"hours": 0.5, "evaluation_share": 0.0614, "notes": ["random images are used", "assuming 5 images"]},
}
LINES = [
    "data.source:               digits",
    "data.flip:                 false",
    "data.images.train:         1,520 in 2 classes: 0 1,500, 1 20",
    "data.images.test:          300",
    "generator:                 mlp.Generator(channels=1, hidden=[256, 2])",
    "generator.parameters:      98,880",
    "optimizers.generator:      Adam(lr=0.001, fused=true)",
    "steps:                     3,000",
    "estimate.hours:            0.5 (30:00)",
    "estimate.evaluation_share: 6.1%",
    "estimate.notes:            random images are used; assuming 5 images",
]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Return a function that prints a description on a terminal or elsewhere, and returns the text."""

    def show(description, as_json=False, terminal=True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
        print_description(description, as_json)
        return capsys.readouterr().out

    return show


def test_terminal_shows_a_line_for_each_value(printed):
    assert printed(RUN).splitlines() == LINES


def test_pipe_and_json_flag_give_the_same_json(printed):
    assert json.loads(printed(RUN, terminal=False)) == json.loads(printed(RUN, as_json=True)) == RUN


def test_sweep_shows_what_the_jobs_share_once(printed):
    jobs = [{"overrides": [f"seed={seed}", "loss=hinge"], "seed": seed, "steps": 3000} for seed in (1, 2)]
    lines = printed({"jobs": jobs, "estimate": {"hours": 2.0}}).splitlines()
    assert lines == [
        "seed=1",
        "  seed: 1",
        "seed=2",
        "  seed: 2",
        "all jobs",
        "  steps: 3,000",
        "estimate of the sweep.hours: 2 (2:00:00)",
    ]
