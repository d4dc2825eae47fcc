"""Write the model card of a run."""

from ganexp.report.columns import is_score
from ganexp.report.formatting import MISSING
from ganexp.report.run import EVALUATIONS, Run
from ganexp.report.score_info import UNKNOWN
from ganexp.report.settings import setting_name, setting_text
from ganexp.report.values import plain

SETTING_GROUPS = ("data", "model", "loss", "augment", "schedule", "optimizer")
MAX_COMMAND_LENGTH = 2000
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

- This is one seed. Other seeds score differently; compare means over several seeds (`ganexp report`).
- The best checkpoint was chosen by a score of the same samples, so its scores are slightly too good. Those of the last
  checkpoint are not.
- The samples follow the training images, with the gaps and biases of these, and may reproduce some of them.
- Scores under another protocol (extractor, reference images, number of samples) are not comparable with these.
{warnings}
## Origin

    {command}

Commit {commit}. environment.json has versions and machine.
"""

WITHOUT_WEIGHTS = "This bundle has no weights: `ganexp report --bundle RUN checkpoint=true` adds the best checkpoint."
WITH_WEIGHTS = """Unpack the bundle; in the unpacked directory:

    ganexp sample ckpt=. n=64        # writes samples of checkpoints/best.ckpt to samples/drawn-…
    ganexp evaluate ckpt=.           # scores it again; needs the data"""


def model_card(run: Run, with_checkpoint: bool) -> str:
    """Return the model card as Markdown: the model, its scores and their protocol, its use, and its limits."""
    return TEMPLATE.format(
        name=run.name,
        summary=_summary(run),
        settings=_settings(run),
        scores=_scores(run),
        use=WITH_WEIGHTS if with_checkpoint else WITHOUT_WEIGHTS,
        warnings="".join(f"- Warning: {warning}\n" for warning in run.warnings),
        command=_command(run),
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
    names = [name for name in run.scores["last"] if name != "step"]
    if not names:
        return "None: the run was trained without scores, or did not finish."
    lines = [f"| score | better | {' | '.join(EVALUATIONS)} |", "| --- | --- | --- | --- | --- |"]
    for name in ["step", *names]:
        direction = run.score_info.get(name, UNKNOWN).direction if is_score(name, run.score_info) else ""
        values = [run.scores[evaluation].get(name) for evaluation in EVALUATIONS]
        cells = " | ".join(MISSING if value is None else f"{value:.6g}" for value in values)
        lines.append(f"| {_cell(name)} | {direction} | {cells} |")
    protocol = "; ".join(f"{key} = {value}" for key, value in run.protocol.items())
    return "\n".join(lines) + f"\n\nProtocol: {protocol or NOT_RECORDED}."


def _command(run: Run) -> str:
    arguments = run.metadata.get("command")
    if not isinstance(arguments, list):
        return NOT_RECORDED
    return plain(" ".join(["ganexp", *map(str, arguments)]), MAX_COMMAND_LENGTH)


def _commit(run: Run) -> str:
    commit = plain(run.metadata.get("git_commit") or NOT_RECORDED)
    return f"{commit} (with uncommitted changes)" if run.metadata.get("git_dirty") else commit


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
