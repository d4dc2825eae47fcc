"""Score a checkpoint on samples from latents that are not used in training, and plot diagnostics."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from ganexp import build, build_scores
from ganexp.callbacks.discriminator_logits import DiscriminatorLogits, probability_greater
from ganexp.callbacks.scoring_progress import ScoringProgress
from ganexp.commands.data_identity import changes, describe_content
from ganexp.commands.evaluation.loggers import log_evaluated
from ganexp.commands.evaluation.pictures import save_pictures
from ganexp.commands.score_table import print_scores, save_scores, warn_of_few_images
from ganexp.config import checks, schema
from ganexp.config.instantiate import target_name
from ganexp.config.paths import relocate_data
from ganexp.console import say, say_once
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.loaded_run import load_run
from ganexp.report.evaluated import is_outdated
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, FixedLatents, drawn_together, sampling_protocol
from ganexp.training.trainer import device_name, validate


def evaluate_checkpoint(settings: DictConfig, metrics: Mapping[str, Any], is_repeated: bool = True) -> bool:
    """Print the scores of a checkpoint, save them with their protocol, send them to the loggers, and plot diagnostics.

    The loggers receive the scores only if the scores are saved in the run directory.

    Args:
        settings: the resolved settings of the command.
        metrics: the unresolved metrics of the command, see `merged_config`.
        is_repeated: whether the checkpoint is scored even if it has already been scored under the same protocol.

    Returns:
        Whether the checkpoint was scored.

    Raises:
        UserError: settings are wrong, the checkpoint or the data are missing, or no metrics are chosen for a run that
            has none.
    """
    loaded = load_run(settings.ckpt, settings.accelerator)
    gan, run_cfg = loaded.gan, merged_config(loaded.cfg, settings, metrics)
    checks.check(run_cfg, gan)
    image_sets = build.build_image_sets(run_cfg)
    image_set = image_sets["train"]
    gan.scores = scores = build_scores.build_scores(run_cfg, image_set, gan.device, gan.num_classes)
    assert scores is not None  # metrics=none has been refused
    gan.evaluation_latents = FixedLatents(gan.latent, settings.seed)
    measured = scores.protocol(drawn_together(gan, run_cfg.metrics.batch_size))
    protocol = measured | sampling_protocol(gan) | changes_since_training(loaded.run, image_sets)
    record = {
        "score_info": scores.info(),
        "protocol": protocol | {"seed": settings.seed, "data": target_name(run_cfg.data.source)},
        "device": device_name(gan.device),
        **loaded.facts,
    }
    output = Path(settings.output or loaded.run.path)
    own_metrics = None if metrics["extractor"] is None else scores.extractor.name
    ending = file_ending(own_metrics, Path(loaded.facts["checkpoint"]))
    file = output / f"scores{ending}.json"
    if not is_repeated and is_known(record, file, loaded.run):
        return False
    validate(gan, build.build_data(run_cfg, gan), gan.device, [ScoringProgress()])
    trained_on = image_sets | {"train": build.images_to_train_on(run_cfg, image_set)}
    logits = DiscriminatorLogits(trained_on).logits(gan, settings.seed)
    record |= {"scores": gan.score_values, "by_class": scores.by_class, "d_logit": summarize_logits(logits)}
    print_scores(record)
    if settings.seed != EVALUATION_SEED:
        say_once("report these scores: the training chose its best checkpoint by the scores of other samples")
    warn_of_few_images(scores)
    save_scores(record, file)
    if output == loaded.run.path:
        log_evaluated(loaded.run, gan.score_values, gan.step, file.stem)
    save_pictures(loaded, scores, image_set.classes, logits, settings.seed, output, ending)
    return True


def file_ending(extractor: str | None, checkpoint: Path) -> str:
    """Return the text that is added to the file names of an evaluation, such as "-inception-last".

    Args:
        extractor: the name of the feature extractor, if the command chooses the metrics; otherwise None.
        checkpoint: path of the checkpoint; for the best checkpoint, nothing is added.
    """
    parts = [extractor, None if checkpoint.stem == "best" else checkpoint.stem]
    return "".join(f"-{part}" for part in parts if part)


def is_known(record: Mapping[str, Any], file: Path, run: RunDirectory) -> bool:
    """Return whether a file already has all scores of `record`, for the same checkpoint and the same protocol.

    Args:
        record: the names of the scores to compute, their protocol, and the checkpoint with its step.
        file: the file of scores, which may be missing.
        run: the run of the checkpoint; scores from before the end of this run do not count.
    """
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        is_same_checkpoint = known["step"] == record["step"] and (
            Path(known["checkpoint"]).name == Path(record["checkpoint"]).name
        )
        is_same = known["protocol"] == json.loads(json.dumps(record["protocol"]))
        has_all = record["score_info"].keys() <= known["scores"].keys()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # no such file, or a file with other content
        return False
    return is_same_checkpoint and is_same and has_all and not is_outdated(known, run.metadata())


def merged_config(run_cfg: DictConfig, settings: DictConfig, metrics: Mapping[str, Any]) -> DictConfig:
    """Return the run's config with the metrics and the data of the evaluation.

    Args:
        run_cfg: the resolved config of the run.
        settings: the resolved settings of the command.
        metrics: the unresolved metrics of the command. If they have an extractor, they replace the metrics of the run;
            otherwise they replace only the run's list of scores.

    Raises:
        UserError: neither the run nor the command has metrics, or data.root or data.path does not apply to the dataset
            of the run.
    """
    cfg = relocate_data(run_cfg, settings.data.root, settings.data.path)
    if metrics["extractor"] is not None:
        cfg.metrics = metrics
    cfg.metrics.scores = metrics["scores"]
    if settings.fid_at is not None:
        cfg.metrics.fid_at = settings.fid_at
    if settings.samples:
        cfg.metrics.samples = settings.samples
    if settings.labels:
        cfg.metrics.labels = settings.labels
    cfg = schema.resolve(cfg)
    if cfg.metrics.extractor is None:
        raise UserError(
            "This run was trained with metrics=none. Choose metrics: "
            "metrics=classifier (for labelled datasets) or metrics=inception"
        )
    if settings.weights:
        cfg.metrics.extractor.weights = settings.weights
    cfg.metrics.references = settings.references or build.available_splits(cfg)
    return cfg


def changes_since_training(run: RunDirectory, image_sets: Mapping[str, ImageSet]) -> dict[str, list[str]]:
    """Print how the images have changed since the run was trained; return these changes as an entry of the protocol.

    The dictionary is empty if no change is known.
    """
    lines = changes(run.metadata().get("data"), describe_content(image_sets))
    for line in lines:
        say(f"the images have changed since this run was trained: {line}")
    return {"data_changes": lines} if lines else {}


def summarize_logits(logits: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the mean logit of each kind of image.

    `train_above_test` is the probability that a training image gets a higher logit than a held-out image. At 0.5,
    the discriminator does not distinguish training images from held-out images.
    """
    means = {kind: values.mean().item() for kind, values in logits.items()}
    if "test" in logits:
        means["train_above_test"] = probability_greater(logits["train"], logits["test"])
    return means
