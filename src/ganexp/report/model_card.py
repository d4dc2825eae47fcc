"""Write the model card of a run."""

from typing import Any

from ganexp.report.columns import is_score
from ganexp.report.evaluated import Evaluated
from ganexp.report.formatting import MISSING
from ganexp.report.run import EVALUATIONS, Run
from ganexp.report.score_info import UNKNOWN, ScoreInfo
from ganexp.report.settings import setting_name, setting_text
from ganexp.report.values import plain

SETTING_GROUPS = ("data", "model", "loss", "augment", "schedule", "optimizer")
NOT_RECORDED = "not recorded"

TEMPLATE = """# {name}

{summary}

## Settings

{settings}

config.yaml has all settings.

## Scores

{scores}

## Use

{use}

## Limits

- These are the scores of one seed. Other seeds give other scores; compare means over several seeds (`ganexp report`).
- The best checkpoint was chosen by its score during training, so its scores from the training are slightly too good.
  The scores of the last checkpoint and the scores of `ganexp evaluate` are not affected.
- The samples share the gaps and biases of the training images, and may reproduce some of these images.
- Scores under another protocol (extractor, reference images, number of samples) are not comparable with these.
{warnings}
## Origin

    {command}

Commit {commit}. environment.json has the versions and the machine.
"""

WITHOUT_WEIGHTS = "This bundle has no weights: `ganexp report --bundle RUN checkpoint=true` adds the best checkpoint."
WITH_WEIGHTS = """Unpack the bundle; in the unpacked directory:

    ganexp sample ckpt=. n=64        # writes samples of checkpoints/best.ckpt to samples/drawn-…
    ganexp evaluate ckpt=.           # scores the checkpoint again; needs the data"""


def model_card(run: Run, with_checkpoint: bool) -> str:
    """Return the model card as Markdown: the model, its scores and their protocol, its use, and its limits."""
    return TEMPLATE.format(
        name=run.name,
        summary=_summary(run),
        settings=_settings(run),
        scores=_scores(run),
        use=WITH_WEIGHTS if with_checkpoint else WITHOUT_WEIGHTS,
        warnings="".join(f"- Warning: {warning}\n" for warning in run.warnings),
        command=run.command or NOT_RECORDED,
        commit=_commit(run),
    )


def _summary(run: Run) -> str:
    def value(key: str) -> str:
        return setting_text(key, run.settings.get(key)) or NOT_RECORDED

    device = plain(run.metadata.get("device") or "a device that was not recorded")
    return (
        f"A generative adversarial network, trained with ganexp {plain(run.metadata.get('ganexp'))} on "
        f"{value('data.source._target_')} ({value('data.split')}, {value('data.resolution')} pixels per side, "
        f"{value('data.channels')} channels). Generator: {value('model.generator._target_')}; discriminator: "
        f"{value('model.discriminator._target_')}; loss: {value('loss.adversarial._target_')}. It was trained for "
        f"{run.last_step:,} steps (generator updates) of {value('schedule.batch_size')} images with seed {run.seed} on "
        f"{device}. Status: {run.status}."
    )


def _settings(run: Run) -> str:
    lines = ["| setting | value |", "| --- | --- |"]
    for key, value in run.settings.items():
        if key.split(".")[0] in SETTING_GROUPS:
            lines.append(f"| {_cell(setting_name(key))} | {_cell(setting_text(key, value))} |")
    return "\n".join(lines)


def _scores(run: Run) -> str:
    """Return the scores of `ganexp evaluate`, which are the ones to report, and then the scores of the training."""
    parts = [_evaluated(each) for each in run.evaluated if each.scores]
    if parts:
        parts.append("During training:")
    return "\n\n".join([*parts, _scores_of_training(run)])


def _evaluated(evaluated: Evaluated) -> str:
    lines = ["| score | better | value |", "| --- | --- | --- |"]
    for name, value in evaluated.scores.items():
        lines.append(f"| {_cell(name)} | {_direction(name, evaluated.score_info)} | {value:.6g} |")
    table = "\n".join(lines)
    return f"{_cell(evaluated.title)}, of `ganexp evaluate`:\n\n{table}\n\n{_protocol(evaluated.protocol)}"


def _scores_of_training(run: Run) -> str:
    names = [name for name in run.scores["last"] if name != "step"]
    if not names:
        return "None: the run was trained without scores, or did not finish."
    lines = [f"| score | better | {' | '.join(EVALUATIONS)} |", "| --- | --- | --- | --- | --- |"]
    for name in ["step", *names]:
        values = [run.scores[evaluation].get(name) for evaluation in EVALUATIONS]
        cells = " | ".join(MISSING if value is None else f"{value:.6g}" for value in values)
        lines.append(f"| {_cell(name)} | {_direction(name, run.score_info)} | {cells} |")
    return "\n".join(lines) + f"\n\n{_protocol(run.protocol)}"


def _direction(name: str, score_info: dict[str, ScoreInfo]) -> str:
    return score_info.get(name, UNKNOWN).direction if is_score(name, score_info) else ""


def _protocol(protocol: dict[str, Any]) -> str:
    text = "; ".join(f"{key} = {value}" for key, value in protocol.items())
    return f"Protocol: {text or NOT_RECORDED}."


def _commit(run: Run) -> str:
    commit = plain(run.metadata.get("ganexp_commit") or NOT_RECORDED)
    return f"{commit} (with uncommitted changes)" if run.metadata.get("ganexp_dirty") else commit


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
