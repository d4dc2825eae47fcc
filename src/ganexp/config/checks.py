"""Combinations that make no sense together, each refused by name with the fix. One rule, one function."""

from collections.abc import Iterator

from omegaconf import DictConfig
from torch import nn

from ganexp.errors import UserError
from ganexp.training.gan import GAN

Complaints = Iterator[str]


def check(cfg: DictConfig, gan: GAN) -> None:
    """Raises a UserError that lists everything wrong with the resolved config or the networks built from it."""
    complaints = [line for rule in RULES for line in rule(cfg, gan)]
    if complaints:
        raise UserError("\n".join(complaints))


def positive_numbers(cfg: DictConfig, gan: GAN) -> Complaints:
    keys = {
        "schedule.steps": cfg.schedule.steps, "schedule.evaluate_every": cfg.schedule.evaluate_every,
        "schedule.batch_size": cfg.schedule.batch_size, "data.resolution": cfg.data.resolution,
        "trainer.log_every": cfg.trainer.log_every, "metrics.batch_size": cfg.metrics.batch_size,
    }  # fmt: skip
    for key, value in keys.items():
        if value < 1:
            yield f"{key}={value}: must be at least 1"
    if cfg.seed < 0:
        yield f"seed={cfg.seed}: must not be negative"
    if cfg.data.range not in ("symmetric", "unit"):
        yield f"data.range={cfg.data.range}: use symmetric ([-1, 1]) or unit ([0, 1])"
    if cfg.metrics.best_by not in ("fid", "is"):
        yield f"metrics.best_by={cfg.metrics.best_by}: use fid or is"
    if cfg.metrics.extractor and cfg.metrics.best_by not in cfg.metrics.scores:
        yield f"metrics.best_by={cfg.metrics.best_by} is not among metrics.scores={list(cfg.metrics.scores)}: add it"
    if not cfg.metrics.references:
        yield "metrics.references=[]: name a split"
    if cfg.data.in_memory not in ("auto", True, False):
        yield f"data.in_memory={cfg.data.in_memory}: use auto, true or false"


def supported_precision(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.trainer.precision not in ("32-true", "bf16-mixed"):
        yield f"trainer.precision={cfg.trainer.precision}: use 32-true or bf16-mixed"


def whole_periods(cfg: DictConfig, gan: GAN) -> Complaints:
    steps, every = cfg.schedule.steps, cfg.schedule.evaluate_every
    if steps > 0 and every > 0 and steps % every:
        yield (
            f"schedule.steps={steps} is no multiple of schedule.evaluate_every={every}: "
            f"use schedule.steps={max(steps // every, 1) * every} or another evaluate_every"
        )


def labels_for_a_conditional_model(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.model.conditional and cfg.data.num_classes < 2:
        yield "model.conditional=true needs a labelled set, and this one has no classes: set model.conditional=false"


def labels_for_a_classifier(cfg: DictConfig, gan: GAN) -> Complaints:
    extractor = cfg.metrics.extractor
    if extractor and "network" in extractor and cfg.data.num_classes < 2:
        yield "metrics=classifier needs a labelled set, which this is not: use metrics=inception or metrics=none"


def logits_the_loss_wants(cfg: DictConfig, gan: GAN) -> Complaints:
    given = cfg.model.discriminator.get("logits", 1)
    if given != cfg.loss.logits:
        yield (
            f"this loss wants {cfg.loss.logits} logits an image, model.discriminator.logits is {given}: "
            f"leave it at its default, or use another loss"
        )


def probabilities_of_a_cross_entropy(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.loss.probabilities and not cfg.loss.adversarial.get("probabilities"):
        yield (
            "loss.probabilities=true changes cross-entropies, and this loss is none: use loss=non_saturating or "
            "loss=saturating, or leave it (and as_published=g_loss) out"
        )


def penalties_on_one_logit(cfg: DictConfig, gan: GAN) -> Complaints:
    of_one = [name for name, p in gan.objective.penalties.items() if not getattr(p, "takes_vectors", False)]
    if of_one and cfg.loss.logits != 1:
        names = ", ".join(f"loss.penalties.{name}" for name in of_one)
        yield f"{names} needs one logit an image, this loss has {cfg.loss.logits}: use a loss of one logit"


def penalties_without_batch_statistics(cfg: DictConfig, gan: GAN) -> Complaints:
    mixes = [
        name
        for name, layer in gan.discriminator.named_modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        and not isinstance(layer, nn.modules.instancenorm._InstanceNorm)
    ]
    if gan.objective.penalties and mixes:
        names = ", ".join(f"loss.penalties.{name}" for name in gan.objective.penalties)
        yield (
            f"{names} wants a gradient per sample, but batch normalisation ({mixes[0]}) mixes the samples: "
            "set model.discriminator.norm=layer (or none)"
        )


def class_terms_have_class_logits(cfg: DictConfig, gan: GAN) -> Complaints:
    head, auxiliary = cfg.model.discriminator.get("head") == "classes", gan.objective.auxiliary is not None
    if auxiliary != (head or gan.classifier is not None):
        yield (
            "class terms and the network that gives class logits go together: choose both by "
            "loss/auxiliary=classifier or loss/auxiliary=class_head"
        )
    if head and gan.classifier is not None:
        yield "model.classifier and model.discriminator.head=classes are one too many: use loss/auxiliary=class_head"
    if auxiliary and not cfg.model.conditional:
        yield "loss.auxiliary needs a generator that knows the classes: set model.conditional=true"
    if (gan.classifier is None) != (cfg.optimizer.classifier is None):
        yield "model.classifier and optimizer.classifier go together: use loss/auxiliary=classifier"


def a_loss_limit_replaces_n_critic(cfg: DictConfig, gan: GAN) -> Complaints:
    if "limit" in cfg.schedule.updates and cfg.loss.n_critic != 1:
        yield (
            f"this loss wants {cfg.loss.n_critic} discriminator updates a step, a loss limit starts from 1: "
            "use schedule/updates=fixed_ratio, or loss.n_critic=1"
        )


def positive_or_none(cfg: DictConfig, gan: GAN) -> Complaints:
    for key in ("lr_reference_batch", "max_d_steps"):
        value = cfg.schedule[key]
        if value is not None and value < 1:
            yield f"schedule.{key}={value}: must be at least 1 (null: none)"


def penalties_with_matching_labels(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.model.conditional and gan.objective.penalties and gan.update.labels["discriminator"] != "real":
        yield (
            "a penalty between real and fake images needs the same labels on both: "
            "set schedule.updates.labels.discriminator=real"
        )


def shared_fakes_have_one_kind_of_label(cfg: DictConfig, gan: GAN) -> Complaints:
    labels = gan.update.labels
    if cfg.model.conditional and gan.update.fakes == "shared" and labels["discriminator"] != labels["generator"]:
        yield (
            "schedule.updates.fakes=shared gives both networks the same fakes, but their labels differ: set "
            f"schedule.updates.labels.generator={labels['discriminator']}"
        )


def enough_samples_to_score(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.metrics.extractor and cfg.metrics.samples < 2 * cfg.metrics.splits:
        yield (
            f"metrics.samples={cfg.metrics.samples} is too few for metrics.splits={cfg.metrics.splits}: "
            f"use metrics.samples={2 * cfg.metrics.splits} or more"
        )


def pruning_by_scores(cfg: DictConfig, gan: GAN) -> Complaints:
    if cfg.sweep.prune and not cfg.metrics.extractor:
        yield "sweep.prune=true compares scores, and metrics=none has none: use metrics=classifier or metrics=inception"


def decay_of_an_average(cfg: DictConfig, gan: GAN) -> Complaints:
    decay = cfg.schedule.ema.decay
    if decay is not None and not 0 < decay < 1:
        yield f"schedule.ema.decay={decay}: must lie between 0 and 1 (null: no averaging)"


RULES = (
    positive_numbers,
    supported_precision,
    whole_periods,
    labels_for_a_conditional_model,
    labels_for_a_classifier,
    logits_the_loss_wants,
    probabilities_of_a_cross_entropy,
    penalties_on_one_logit,
    penalties_without_batch_statistics,
    class_terms_have_class_logits,
    a_loss_limit_replaces_n_critic,
    positive_or_none,
    penalties_with_matching_labels,
    shared_fakes_have_one_kind_of_label,
    enough_samples_to_score,
    pruning_by_scores,
    decay_of_an_average,
)
