"""The objective: an adversarial loss with penalties, auxiliary terms, augmentations, modifiers and a constraint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexp.errors import UserError
from ganexp.losses.adversarial import AdversarialLoss, Terms
from ganexp.losses.penalties import Seen, to_float32

Augmentation = Callable[[Tensor], Tensor]
Networks = Mapping[str, nn.Module] | nn.ModuleDict


@dataclass
class Batch:
    """The images in an update of one network.

    Args:
        real: real images (N, C, H, W) in the range that the discriminator is trained on.
        real_labels: classes (N,) of the real images; None if there are no labels.
        fake: generated images (N, C, H, W); None if neither the generator nor the discriminator is updated.
        fake_labels: classes (N,) of the generated images; None if there are no labels.
        d_real: the discriminator's outputs on `real`; None until the discriminator's terms are computed.
        d_fake: the discriminator's outputs on `fake`; None until the discriminator's terms are computed.
        class_real: class logits (N, K) of `real`; None until they are computed, or if the discriminator returns no
            class logits.
        class_fake: class logits (N, K) of `fake`; None until they are computed, or if the discriminator returns no
            class logits.
    """

    real: Tensor
    real_labels: Tensor | None
    fake: Tensor | None = None
    fake_labels: Tensor | None = None
    d_real: Tensor | None = None
    d_fake: Tensor | None = None
    class_real: Tensor | None = None
    class_fake: Tensor | None = None

    def generated(self) -> Tensor:
        """Return `fake`.

        Raises:
            ValueError: `fake` is None.
        """
        if self.fake is None:
            raise ValueError("fake=None: the updates of the generator and the discriminator need generated images")
        return self.fake


class Objective(nn.Module):
    """Compute the named loss terms of every network; each network minimises the sum of its terms.

    The augmentations are applied to the discriminator's inputs in the updates of both networks and in the penalties,
    but not where an auxiliary term itself calls the discriminator. Parts that are modules are registered, so that their
    buffers are saved in checkpoints and moved to the device of the networks.

    Args:
        adversarial: the losses of the discriminator and the generator, see `losses/adversarial.py`.
        penalties: penalties by name, see `losses/penalties.py`.
        constraint: a function that is called with the discriminator after each of its updates.
        auxiliary: further terms by name, see `losses/auxiliary.py`.
        augmentations: functions that are applied in this order; each maps images (N, C, H, W) to the same shape.
        modifiers: modifiers of the discriminator's update; the keys are their names, see `losses/modifiers.py`.
        joint_batch: whether real and generated images go through the discriminator in one batch, which takes fewer
            operations. The discriminator must then treat every image separately; see `models/layers.py`. The argument
            is ignored if an augmentation has the attribute `needs_separate_batches = True`.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss,
        penalties: Mapping[str, Any] | None = None,
        constraint: Callable[[nn.Module], None] | None = None,
        auxiliary: Mapping[str, object] | None = None,
        augmentations: Iterable[Augmentation] = (),
        modifiers: Mapping[str, Any] | None = None,
        joint_batch: bool = False,
    ) -> None:
        super().__init__()
        self.adversarial, self.constraint = adversarial, constraint
        self.penalties, self.auxiliary = dict(penalties or {}), dict(auxiliary or {})
        self.augmentations, self.modifiers = list(augmentations), dict(modifiers or {})
        separate = any(getattr(each, "needs_separate_batches", False) for each in self.augmentations)
        self.joint_batch = joint_batch and not separate
        named = {**_named("penalty", self.penalties), **_named("auxiliary", self.auxiliary)}
        named |= _named("modifier", self.modifiers)
        named |= _named("augmentation", {str(i): part for i, part in enumerate(self.augmentations)})
        self.stateful_parts = nn.ModuleDict({name: part for name, part in named.items() if isinstance(part, nn.Module)})

    @property
    def has_state(self) -> bool:
        """Whether any part is a module. An update may change the state of a module; an example is BEGAN's k."""
        return bool(self.stateful_parts) or isinstance(self.adversarial, nn.Module)

    @property
    def parts(self) -> list[object]:
        """The adversarial loss, the penalties, the auxiliary terms, the augmentations and the modifiers."""
        named = (*self.penalties.values(), *self.auxiliary.values(), *self.modifiers.values())
        return [self.adversarial, *named, *self.augmentations]

    def terms(self, network: str, networks: Networks, batch: Batch) -> Terms:
        """Return the named scalar terms of the network's update.

        Args:
            network: name of the network that is updated.
            networks: all networks by name.
            batch: the images; in the discriminator's update, `fake` carries no gradient.

        Raises:
            UserError: two terms have the same name, or a term is not a scalar.
        """
        terms: Terms = {}
        if network == "discriminator":
            terms = self._discriminator_terms(networks["discriminator"], batch)
        elif network == "generator":
            _add(terms, self._generator_terms(networks["discriminator"], batch), "loss.adversarial")
        for name, auxiliary in self.auxiliary.items():
            if hasattr(auxiliary, network):
                _add(terms, getattr(auxiliary, network)(networks, batch), f"loss.auxiliary.{name}")
        return terms

    def values(self) -> Terms:
        """Return further named scalars to log, such as BEGAN's k, from every part that has a method `values`.

        Raises:
            UserError: two values have the same name, or a value is not a scalar.
        """
        values: Terms = {}
        for part in self.parts:
            if hasattr(part, "values"):
                _add(values, part.values(), type(part).__name__)
        return values

    def _discriminator_terms(self, discriminator: nn.Module, batch: Batch) -> Terms:
        fake, fake_labels = batch.generated(), batch.fake_labels
        batch.fake, batch.fake_labels = self._modified("change_fakes", fake, fake_labels)
        seen_real, seen_fake = self._discriminate_both(discriminator, batch)
        d_real, d_fake = seen_real.output, seen_fake.output
        batch.d_real, batch.d_fake = d_real.detach(), d_fake.detach()
        for augmentation in self.augmentations:
            if hasattr(augmentation, "observe"):
                augmentation.observe(self.accuracies(batch))
        terms: Terms = {}
        outputs = self._modified("change_outputs", d_real, d_fake)
        _add(terms, self.adversarial.discriminator(*outputs), "loss.adversarial")
        images = (batch.real, batch.real_labels, fake, fake_labels)
        for name, penalty in self.penalties.items():
            if hasattr(penalty, "of_outputs"):
                term = penalty.of_outputs(
                    lambda *inputs: split_class_logits(discriminator(*inputs))[0], seen_real, seen_fake
                )
            else:
                term = penalty(lambda *inputs: self.discriminate(discriminator, *inputs)[0], *images)
            _add(terms, {name: term}, f"loss.penalties.{name}")
        return terms

    def _discriminate_both(self, discriminator: nn.Module, batch: Batch) -> tuple[Seen, Seen]:
        """Return the outputs on real and on generated images, and store their class logits in the batch."""
        real, fake = batch.real, batch.generated()
        if not self.joint_batch:
            seen_real, batch.class_real = self._seen(discriminator, real, batch.real_labels)
            seen_fake, batch.class_fake = self._seen(discriminator, fake, batch.fake_labels)
            return seen_real, seen_fake
        labels = [each for each in (batch.real_labels, batch.fake_labels) if each is not None]
        sizes = [len(real), len(fake)]
        images = torch.cat([real, fake])  # 2 x (N, C, H, W) -> (2N, C, H, W)
        both, class_logits = self._seen(discriminator, images, torch.cat(labels) if labels else None)
        if class_logits is not None:
            batch.class_real, batch.class_fake = class_logits.split(sizes)
        (real, fake), (d_real, d_fake) = both.images.split(sizes), both.output.split(sizes)
        return Seen(real, batch.real_labels, d_real), Seen(fake, batch.fake_labels, d_fake)

    def _modified(self, method: str, *values: Any) -> Any:
        """Let each modifier that has the method `method` change the values in turn, and return the result."""
        for modifier in self.modifiers.values():
            if hasattr(modifier, method):
                values = getattr(modifier, method)(*values)
        return values

    def _generator_terms(self, discriminator: nn.Module, batch: Batch) -> Terms:
        d_fake, batch.class_fake = self.discriminate(discriminator, batch.generated(), batch.fake_labels)
        if not getattr(self.adversarial, "generator_needs_real", False):
            return self.adversarial.generator(d_fake)
        with torch.no_grad():
            d_real, _ = self.discriminate(discriminator, batch.real, batch.real_labels)
        return self.adversarial.generator(d_fake, d_real)

    def discriminate(
        self, discriminator: nn.Module, images: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the discriminator's output on augmented images, in float32, and its class logits or None."""
        seen, class_logits = self._seen(discriminator, images, labels)
        return seen.output, class_logits

    def _seen(self, discriminator: nn.Module, images: Tensor, labels: Tensor | None) -> tuple[Seen, Tensor | None]:
        """Return the augmented images with the discriminator's outputs, and the class logits or None."""
        for augmentation in self.augmentations:
            images = augmentation(images)
        output, class_logits = split_class_logits(discriminator(images, labels))
        return Seen(images, labels, output), class_logits

    def logit(self, discriminator: nn.Module, images: Tensor, labels: Tensor | None) -> Tensor | None:
        """Return the logits (N,) of the images, which are not augmented; None if the discriminator returns vectors."""
        output, _ = split_class_logits(discriminator(images, labels))
        return self._logits(output)

    def _logits(self, output: Tensor) -> Tensor | None:
        if hasattr(self.adversarial, "logit"):
            output = self.adversarial.logit(output)
        return output if output.ndim == 1 else None

    def accuracies(self, batch: Batch) -> Terms:
        """Return the shares of real and generated images that D classifies correctly; the keys are `real` and `fake`.

        D classifies an image as real if its logit is above the loss's attribute `boundary`, by default 0. The result is
        empty after the update of another network, if the outputs are vectors, or if `boundary` is None. In the last
        case, the critic does not classify images.
        """
        boundary = getattr(self.adversarial, "boundary", 0.0)
        if boundary is None or batch.d_real is None or batch.d_fake is None:
            return {}
        real, fake = self._logits(batch.d_real), self._logits(batch.d_fake)
        if real is None or fake is None:
            return {}
        return {"real": (real > boundary).float().mean(), "fake": (fake <= boundary).float().mean()}


def _add(terms: Terms, further: Terms, part: str) -> None:
    """Add the entries of `further`, which are terms of the loss or values to log, to `terms`.

    `part` is the name of the part of the loss that returned `further`; error messages include this name.

    Raises:
        UserError: a name is used already, or a term is not a scalar.
    """
    if not isinstance(further, Mapping):
        raise UserError(f"{part}: must return a dictionary of named terms, but it returned a {type(further).__name__}.")
    for name, term in further.items():
        if getattr(term, "shape", None) != ():
            found = f"a tensor of shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"a {type(term).__name__}"
            raise UserError(
                f"{part}: {name} must be a tensor with one number and shape (), such as the mean over the batch, "
                f"but it is {found}."
            )
    if repeated := further.keys() & terms.keys():
        raise UserError(
            f"{part}: the name {', '.join(sorted(repeated))} is already used by another part of the loss. "
            "Give one of the two another name."
        )
    terms |= further


def split_class_logits(output: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Split the output of a discriminator into its logits and its class logits (N, K) or None, both in float32."""
    logits, class_logits = output if isinstance(output, tuple) else (output, None)
    return to_float32(logits), None if class_logits is None else to_float32(class_logits)


def _named(kind: str, parts: Mapping[str, object]) -> dict[str, object]:
    return {f"{kind}_{name}": part for name, part in parts.items()}
