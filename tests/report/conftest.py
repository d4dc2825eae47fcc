"""Configs and run directories that several tests of the report use."""

import json
from pathlib import Path

import pytest
from helpers.runs import make_run, save_evaluated, template

from ganexp.commands.report import report

ATTACK = '</script><img src=x onerror="document.title=\'pwned\'"><script>document.title="pwned"</script>'


@pytest.fixture(scope="session")
def hinge() -> str:
    """Return a config with the hinge loss."""
    return template("loss=hinge")


@pytest.fixture(scope="session")
def wgan_gp() -> str:
    """Return a config with the WGAN-GP loss."""
    return template("loss=wgan_gp")


@pytest.fixture
def outputs(tmp_path, hinge, wgan_gp) -> Path:
    """Make runs of two losses with three seeds each, where WGAN-GP scores clearly worse; return the runs' directory."""
    for loss, text, fid in (("hinge", hinge, 20.0), ("wgan_gp", wgan_gp, 30.0)):
        for seed in range(3):
            path = tmp_path / "outputs" / loss / f"seed-{seed}"
            make_run(path, text, seed, fid + 0.1 * seed + 0.02 * seed**2, groups={"loss": loss})
    return tmp_path / "outputs"


@pytest.fixture(scope="session")
def page_directory(tmp_path_factory) -> Path:
    """Write a report on runs of two losses, a failed run and a stranger's hostile run; return the report directory."""
    top = tmp_path_factory.mktemp("page") / "runs"
    for loss, fid in (("hinge", 20.0), ("wgan_gp", 30.0)):
        text = template(f"loss={loss}")
        for seed in range(3):
            of_neighbours = {"precision_classifier": 0.5 + 0.1 * seed, "recall_classifier": 0.4}
            make_run(
                top / loss / f"seed-{seed}",
                text,
                seed,
                fid + seed * 0.3,
                pictures=True,
                extra_scores=of_neighbours,
                groups={"loss": loss},
            )
    make_run(top / "failed", template("loss=hinge"), 3, status="failed", error="The run diverged")
    stranger = make_run(
        top / "<img src=x onerror=alert(1)>",
        template("loss=wgan"),
        ATTACK,
        80.0,
        name=ATTACK,
        groups={"loss": ATTACK},
        command=[ATTACK],
        device=ATTACK,
        ganexp_commit=ATTACK,
        repository={"commit": ATTACK, "dirty": True},
        versions={ATTACK: ATTACK},
        protocol={"id": ATTACK, ATTACK: ATTACK},
        error=ATTACK,
        scores={"last": {ATTACK: 1, "fid_classifier": 80}},
        score_info={ATTACK: {"higher_is_better": True, "plot_scale": ATTACK}, "x": {"spread_of": ATTACK}},
    )
    save_evaluated(
        stranger,
        70,
        f"scores-{ATTACK.replace('/', '')}.json",
        scores={ATTACK: 1, "fid_classifier": 70},
        score_info={ATTACK: {"higher_is_better": ATTACK}},
        protocol={"id": ATTACK, "samples": ATTACK},
        checkpoint=f"{ATTACK}.ckpt",
        step=ATTACK,
    )
    (stranger / "nearest.png").touch()
    config = stranger / "config.yaml"
    config.write_text(config.read_text().replace("split: train", f"split: {json.dumps(ATTACK)}"))
    with (stranger / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 1000, f"loss/{ATTACK}": 1}) + "\n")
        file.write(json.dumps({"step": 1000, f"score/{ATTACK}": 1}) + "\n")
    return report([str(top)]).parent
