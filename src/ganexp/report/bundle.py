"""`ganexp report --bundle`: one run as a zip to hand on, with a model card."""

import json
import zipfile
from pathlib import Path
from typing import Any

from ganexp.config.schema import slug
from ganexp.errors import UserError
from ganexp.report.collect import Run, read
from ganexp.report.grouping import better, setting
from ganexp.report.values import SPREADS, plain
from ganexp.runs.run_directory import RunFolder

ENVIRONMENT = ("ganexp", "python", "versions", "platform", "device", "precision", "git_commit", "git_dirty", "command",
               "started", "ended", "resumed")  # fmt: skip
KINDS = ("data", "model", "loss", "schedule", "optimizer")


def bundle(path: Path, output: str | None = None, checkpoint: bool = False) -> Path:
    """Packs the run in `path`, with its best checkpoint if asked for; returns the zip.

    Raises:
        UserError: no run there, one that cannot be read, no such checkpoint, or a zip of that name already.
    """
    folder = RunFolder(path)
    if not folder.config.is_file() or not folder.run.is_file():
        raise UserError(f"{path} is no run folder: it has no config.yaml and run.json.")
    run = read(folder.path, folder.path.name)
    if run.status == "unreadable":
        raise UserError(f"{path}: {run.warnings[0]}")
    if checkpoint and not folder.best.is_file():
        raise UserError(f"checkpoint=true: {folder.best} is not there. Without scores a run has no best checkpoint.")
    name = "-".join(dict.fromkeys([slug(run.name), folder.path.name]))
    target = Path(output or folder.path.parent) / f"{name}.zip"
    files = [folder.config, folder.run, *sorted(folder.path.glob("scores*.json")), folder.metrics, folder.curves]
    files += sorted(folder.samples.rglob("*.png")) + ([folder.best] if checkpoint else [])
    texts = {"MODEL_CARD.md": card(run, checkpoint), "environment.json": _environment(run)}
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        archive = zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED)
    except FileExistsError:
        raise UserError(f"{target} is there already: move it, or name another folder: output=FOLDER") from None
    with archive:
        for file in files:
            if file.is_file() and file.resolve().is_relative_to(folder.path.resolve()):
                archive.write(file, f"{name}/{file.relative_to(folder.path)}")
        for file, text in texts.items():
            archive.writestr(f"{name}/{file}", text)
    return target


def card(run: Run, checkpoint: bool) -> str:
    """The model card: what it is, how it scores and under which protocol, how to use it, what not to expect."""
    facts = run.facts
    commit = plain(facts.get("git_commit") or "not known") + (" (with changes)" if facts.get("git_dirty") else "")
    words = facts.get("command")
    command = plain(" ".join(["ganexp", *map(str, words)]), 2000) if isinstance(words, list) else "not recorded"
    return f"""# {run.name}

{_summary(run)}

## Settings

{_settings(run)}

Everything else stands in config.yaml.

## Scores

{_scores(run)}

## Use

{_use(checkpoint)}

## Limits

- One seed. Other seeds score differently; compare means over several (`ganexp report`).
- The best checkpoint was chosen by a score of the same samples, which flatters it a little; the last was not.
- It draws what its training data holds, with the gaps and biases of those images, and may reproduce some of them.
- Scores under another protocol (extractor, reference images, sample count) cannot be compared with these.
{"".join(f"- Warning: {warning}{chr(10)}" for warning in run.warnings)}
## Where it comes from

    {command}

Commit {commit}. Versions and machine: environment.json.
"""


def _summary(run: Run) -> str:
    def told(key: str) -> str:
        return setting(key, run.settings.get(key))[1] or "not recorded"

    words = (
        f"A generative adversarial network trained with ganexp {plain(run.facts.get('ganexp'))} on",
        f"{told('data.source._target_')} ({told('data.split')}, {told('data.resolution')} pixels a side,",
        f"{told('data.channels')} channels): {told('model.generator._target_')} against",
        f"{told('model.discriminator._target_')}, loss {told('loss.adversarial._target_')},",
        f"{run.last_step:,} steps (generator updates) of {told('schedule.batch_size')} images, seed {run.seed},",
        f"on {plain(run.facts.get('device') or 'a device not recorded')}. Status: {run.status}.",
    )
    return " ".join(words)


def _settings(run: Run) -> str:
    shown = {key: value for key, value in run.settings.items() if key.split(".")[0] in KINDS}
    rows = ["| setting | value |", "| --- | --- |"]
    return "\n".join(rows + ["| {} | {} |".format(*(text.replace("|", "\\|") for text in setting(*item)))
                             for item in shown.items()])  # fmt: skip


def _scores(run: Run) -> str:
    names = [name for name in run.scores.get("last", {}) if name != "step"]
    if not names:
        return "None: it was trained without them, or did not finish."
    lines = ["| score | better | best | last | untrained |", "| --- | --- | --- | --- | --- |"]
    for name in ["step", *names]:
        cells = [f"{run.scores[which][name]:.6g}" if name in run.scores[which] else "–"
                 for which in ("best", "last", "untrained")]  # fmt: skip
        direction = "" if name.endswith(SPREADS) else better(name)
        lines.append(f"| {name} | {direction} | {' | '.join(cells)} |")
    told = "; ".join(f"{key} = {value}" for key, value in run.protocol.items())
    return "\n".join(lines) + f"\n\nProtocol: {told or 'not recorded by the version that made the run'}."


def _use(checkpoint: bool) -> str:
    if not checkpoint:
        return "This bundle holds no weights: `ganexp report --bundle RUN checkpoint=true` packs them, too."
    return """Unpack, and in the unpacked folder:

    ganexp sample ckpt=. n=64        # draws from checkpoints/best.ckpt into samples/drawn-…
    ganexp evaluate ckpt=.           # scores it anew; needs the data"""


def _environment(run: Run) -> str:
    facts: dict[str, Any] = {key: run.facts[key] for key in ENVIRONMENT if key in run.facts}
    return json.dumps(facts, indent=2) + "\n"
