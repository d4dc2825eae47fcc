"""Refuse incompatible settings, and suggest a fix for each problem. There is one function for each rule.

A rule yields a line for each problem. The allowed values of a single setting are declared in `schema.py` and in the
signatures of the targets.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from torch import nn

from ganexp.config import batch_checks, device_checks, network_checks, output_checks, part_checks, schema, score_checks
from ganexp.config.fields import field_violations
from ganexp.config.instantiate import UnknownArgument, to_plain
from ganexp.errors import UserError

if TYPE_CHECKING:
    from ganexp.training.gan import GAN

Complaints = Iterator[str]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
# Arguments of networks and update rules that an option of as_published may set for the experiments of an article.
PUBLISHED_ARGUMENTS = frozenset({"batch_statistics_only", "dropout", "norm", "reuse_real", "spectral_norm"})


def check(cfg: DictConfig, gan: "GAN") -> None:
    """Check a resolved config and the networks built from it against all rules.

    Raises:
        UserError: a rule is broken; the message lists all problems.
    """
    complaints = [line for rule in RULES for line in rule(cfg, gan)]
    if complaints:
        raise UserError("\n".join(complaints))


def suggestion_for_unknown_argument(error: UnknownArgument, groups: dict[str, str | None]) -> str:
    """Return which chosen option sets the unknown argument, and with which models the option is used.

    Args:
        error: the error with the unknown argument and the target.
        groups: for each group, the chosen option.

    Returns:
        One line, or an empty string if none of the chosen options sets the argument.
    """
    auxiliary, article = groups.get("loss/auxiliary"), groups.get("as_published")
    if error.key == "model.discriminator" and error.argument == "head" and auxiliary:
        return f"loss/auxiliary={auxiliary} needs a discriminator with the argument head: use model=dcgan"
    if article and article != "none" and error.argument in PUBLISHED_ARGUMENTS:
        return f"as_published={article} is meant for the article's own networks: see docs/published.md"
    return ""


def values_are_allowed(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that every value is allowed by the schema, even if it was changed after the config was composed."""
    yield from field_violations(to_plain(cfg), schema.Train)


def every_network_has_an_optimizer(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that each network has an entry in `optimizer`, and each entry belongs to a network."""
    networks = ["generator", "discriminator", *_entries(cfg.model.auxiliary)]
    for name in networks:
        if name not in _entries(cfg.optimizer):
            yield f"optimizer.{name} is missing: every network needs an optimizer"
    yield from _unknown_networks("optimizer", _entries(cfg.optimizer), networks)


def clipped_networks_exist(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that each entry of `schedule.clip_gradients` belongs to a network."""
    yield from _unknown_networks("schedule.clip_gradients", _entries(cfg.schedule.clip_gradients), list(gan.networks))


def _unknown_networks(key: str, names: list[str], networks: list[str]) -> Complaints:
    for name in names:
        if name not in networks:
            close = get_close_matches(name, networks, n=1)
            hint = f"; did you mean {key}.{close[0]}?" if close else ""
            yield f"{key}.{name}: there is no such network, only {', '.join(networks)}{hint}"


def auxiliary_terms_and_networks_go_together(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the auxiliary terms train exactly the networks of `model.auxiliary`."""
    networks, trained = _entries(cfg.model.auxiliary), set()
    for name, term in gan.objective.auxiliary.items():
        for network in getattr(term, "networks", ()):
            trained.add(network)
            if network not in networks:
                yield (
                    f"loss.auxiliary.{name} trains a network that is missing: add model.auxiliary.{network} and "
                    f"optimizer.{network}, or choose all of them by an option of loss/auxiliary"
                )
    for network in networks:
        if network not in trained:
            yield (
                f"model.auxiliary.{network} is not trained by any term of loss.auxiliary: remove this network, "
                "or choose a network together with its term by an option of loss/auxiliary"
            )


def class_logits_and_their_terms_go_together(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the discriminator returns class logits if, and only if, an auxiliary term uses them."""
    given = cfg.model.discriminator.get("head") == "classes"
    used = [name for name, term in gan.objective.auxiliary.items() if getattr(term, "needs_class_logits", False)]
    if used and not given:
        yield (
            f"loss.auxiliary.{used[0]} needs class logits of the discriminator: set model.discriminator.head=classes, "
            "or use loss/auxiliary=class_head, which sets it"
        )
    if given and not used:
        yield (
            "model.discriminator.head=classes gives class logits that no term of loss.auxiliary uses: "
            "use loss/auxiliary=class_head, or another head"
        )
    if given and "classifier" in _entries(cfg.model.auxiliary):
        yield (
            "model.discriminator.head=classes and model.auxiliary.classifier both give class logits: "
            "use loss/auxiliary=class_head or loss/auxiliary=classifier, not both"
        )


def auxiliary_terms_have_labels(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the generator is conditional if an auxiliary term needs labels (`needs_labels` is not False)."""
    for name, term in gan.objective.auxiliary.items():
        if getattr(term, "needs_labels", True) and not cfg.model.conditional:
            yield f"loss.auxiliary.{name} needs a conditional generator: set model.conditional=true"


def conditional_models_have_labels(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the dataset has at least two classes if the model is conditional."""
    if cfg.model.conditional and cfg.data.num_classes < 2:
        yield (
            "model.conditional=true needs a labelled dataset, and this one has fewer than two classes: set "
            "model.conditional=false"
        )


def trained_extractors_have_labels(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the dataset has at least two classes if the feature extractor is trained on it."""
    extractor = cfg.metrics.extractor
    if extractor and score_checks.is_trained_extractor(extractor) and cfg.data.num_classes < 2:
        yield (
            "metrics=classifier needs a labelled dataset, and this one has fewer than two classes: use "
            "metrics=inception, metrics=imagenet or metrics=none"
        )


def logits_match_the_loss(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the discriminator has as many outputs as the loss needs."""
    given = cfg.model.discriminator.get("logits", 1)
    if given != cfg.loss.logits:
        yield (
            f"this loss needs {cfg.loss.logits} logits for each image, but model.discriminator.logits is {given}: "
            "leave it at its default, or use another loss"
        )


def probabilities_belong_to_a_cross_entropy(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that `loss.probabilities` is used only with a cross-entropy loss."""
    if cfg.loss.probabilities and not cfg.loss.adversarial.get("probabilities"):
        yield (
            "loss.probabilities=true changes a cross-entropy, and this loss is not one: use loss=non_saturating or "
            "loss=saturating, or leave loss.probabilities (and as_published=g_loss) out"
        )


def penalties_suit_the_logits(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the loss has one logit if a penalty is defined only for one logit."""
    scalar = [name for name, penalty in gan.objective.penalties.items() if not getattr(penalty, "takes_vectors", False)]
    if scalar and cfg.loss.logits != 1:
        yield (
            f"{_keys('loss.penalties', scalar)}: needs one logit for each image, and this loss has {cfg.loss.logits}: "
            "use a loss with one logit"
        )


def penalties_need_independent_samples(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that D has no batch normalisation if a penalty or an auxiliary term needs the gradient of each sample."""
    mixing = [name for name, layer in gan.discriminator.named_modules() if isinstance(layer, BATCH_NORMS)]
    if mixing and (keys := output_checks.keys_with_gradients(gan)):
        yield (
            f"{', '.join(keys)}: needs a separate gradient for each sample, but "
            f"batch normalisation ({mixing[0]}) mixes the samples: set model.discriminator.norm=layer (or none)"
        )


def penalties_have_matching_labels(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that real and generated images have the same labels if a penalty uses both kinds of images."""
    penalties = [
        name for name in _gradient_penalties(gan) if getattr(gan.objective.penalties[name], "needs_equal_labels", True)
    ]
    if cfg.model.conditional and penalties and gan.update_rule.labels["discriminator"] != "real":
        yield (
            f"loss.penalties.{penalties[0]} needs the same labels on real and fake images: "
            "set schedule.updates.labels.discriminator=real"
        )


def _gradient_penalties(gan: "GAN") -> list[str]:
    named = gan.objective.penalties.items()
    return [name for name, penalty in named if getattr(penalty, "needs_gradient", True)]


def growth_has_networks_that_grow(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the generator and the discriminator have stages if there is a growth schedule."""
    grows = [hasattr(network, "set_stage") for network in (gan.generator, gan.discriminator)]
    if gan.growth is not None and not all(grows):
        yield "schedule.growth needs networks that grow: use model=progressive, or leave schedule/growth out"


def loss_limits_replace_n_critic(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the loss needs one discriminator update per step if there is a loss limit."""
    if "limit" in cfg.schedule.updates and cfg.loss.n_critic != 1:
        yield (
            f"this loss needs {cfg.loss.n_critic} discriminator updates per step, but a rule with a loss limit makes "
            "one, and more only if the loss is high: use schedule/updates=fixed_ratio, or loss.n_critic=1"
        )


def shared_fakes_have_one_kind_of_label(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that both networks use the same kind of labels if they share the generated images."""
    labels = gan.update_rule.labels
    if cfg.model.conditional and gan.update_rule.fakes == "shared" and labels["discriminator"] != labels["generator"]:
        yield (
            "schedule.updates.fakes=shared gives both networks the same fakes, but the networks' labels differ: set "
            f"schedule.updates.labels.generator={labels['discriminator']}"
        )


def references_are_named(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the scores have at least one reference split."""
    if not cfg.metrics.references:
        yield "metrics.references=[]: give at least one split, such as [train]"


def pruning_has_scores(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that there are scores if the jobs of a sweep are pruned."""
    if cfg.sweep.prune and not cfg.metrics.extractor:
        yield "sweep.prune=true needs scores: replace metrics=none by metrics=classifier or metrics=inception"


def time_limits_can_be_read(cfg: DictConfig, gan: "GAN") -> Complaints:
    """Check that the time limit has the format that Lightning reads: days, hours, minutes and seconds."""
    max_time = cfg.trainer.max_time
    if max_time is not None and not re.fullmatch(r"\d+:\d\d:\d\d:\d\d", max_time):
        yield f"trainer.max_time={max_time}: must be DD:HH:MM:SS, such as 00:12:00:00 for twelve hours, or null"


def _entries(mapping: Any) -> list[str]:
    """Return the names of those entries of a mapping that are not null."""
    return [str(name) for name, node in mapping.items() if node is not None]


def _keys(prefix: str, names: Any) -> str:
    return ", ".join(f"{prefix}.{name}" for name in names)


RULES = (
    values_are_allowed,
    every_network_has_an_optimizer,
    clipped_networks_exist,
    auxiliary_terms_and_networks_go_together,
    class_logits_and_their_terms_go_together,
    auxiliary_terms_have_labels,
    conditional_models_have_labels,
    trained_extractors_have_labels,
    logits_match_the_loss,
    probabilities_belong_to_a_cross_entropy,
    penalties_suit_the_logits,
    penalties_need_independent_samples,
    penalties_have_matching_labels,
    growth_has_networks_that_grow,
    loss_limits_replace_n_critic,
    shared_fakes_have_one_kind_of_label,
    references_are_named,
    pruning_has_scores,
    time_limits_can_be_read,
    *batch_checks.RULES,
    *device_checks.RULES,
    *network_checks.RULES,
    *output_checks.RULES,
    *part_checks.RULES,
    *score_checks.RULES,
)
