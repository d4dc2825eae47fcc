"""The GAN as a LightningModule: one `training_step` is one step, that is one generator update.

This is the only place where optimizers step.
"""

import logging
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganexp.data.stream import Batch, ImageStream
from ganexp.losses import Objective
from ganexp.models.layers import Latent
from ganexp.training.updates import FixedRatio, LinearDecay

for _library in ("pytorch_lightning", "lightning_fabric"):  # their messages speak of hardware at every start
    logging.getLogger(_library).setLevel(logging.WARNING)


class GAN(pl.LightningModule):
    """Two networks or three, what they minimise, and in which order they do.

    Args:
        generator: (z (N, d), labels (N,) or None) -> images (N, C, H, W) in [-1, 1].
        discriminator: (images, labels or None) -> logits.
        objective: named terms for both.
        update: the update rule.
        optimizers: for each network, by name, a function of its parameters.
        latent: draws z.
        classifier: of the real images' classes, (images) -> class logits (N, K), for the objective's class term.
        num_classes: of a conditional GAN; 0 trains without labels.
        unit: real pixels lie in [0, 1], so that what G draws below 0 is as black as 0.
        steps: length of the run, which `lr_decay` is measured against.
        max_d_steps: discriminator updates after which the run ends, whatever steps are left.
        lr_decay: factor of the learning rates at a fraction of the run; None keeps them.
        ema_decay: of the averaged generator that is then sampled from; None samples from the trained one.
        ema_start: the step the average starts at.
        log_every: steps between two logged points.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        update: FixedRatio,
        optimizers: dict[str, Callable[..., Optimizer]],
        latent: Latent,
        num_classes: int,
        steps: int,
        max_d_steps: int | None = None,
        classifier: nn.Module | None = None,
        unit: bool = False,
        lr_decay: LinearDecay | None = None,
        ema_decay: float | None = None,
        ema_start: int = 0,
        log_every: int = 50,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator, self.classifier = generator, discriminator, classifier
        self.ema = deepcopy(generator).requires_grad_(False) if ema_decay else None
        self.objective, self.update, self.latent, self.num_classes = objective, update, latent, num_classes
        self.optimizer_makers, self.lr_decay = optimizers, lr_decay
        self.ema_decay, self.ema_start = ema_decay, ema_start
        self.max_d_steps = max_d_steps
        self.steps, self.log_every, self.unit = steps, log_every, unit
        self.stream: ImageStream | None = None  # set by whoever fits
        self.step = self.d_steps = self.images_seen = 0
        self.seconds = 0.0
        self.terms: dict[str, Tensor] = {}
        self.latest: dict[str, float] = {}  # the last logged values
        self.scored_at = 0  # the step of the scores among them

    @property
    def sampler(self) -> nn.Module:
        """The generator to draw samples from: the averaged one where there is one."""
        return self.generator if self.ema is None else self.ema

    def shown(self, images: Tensor) -> Tensor:
        """Images of G as they are looked at and scored, in [-1, 1]; same shape."""
        return images.clamp(0, 1) * 2 - 1 if self.unit else images

    def configure_optimizers(self) -> list[Optimizer]:
        make = self.optimizer_makers
        self.generator_parameters = list(self.generator.parameters())
        self.discriminator_parameters = list(self.discriminator.parameters())
        optimizers = [
            make["generator"](self.generator_parameters),
            make["discriminator"](self.discriminator_parameters),
        ]
        if self.classifier is not None:
            optimizers.append(make["classifier"](self.classifier.parameters()))
        return optimizers

    def learning_rates(self) -> dict[str, float]:
        """Of each network's optimizer at the start of a run, scaling by batch included."""
        names = ("generator", "discriminator", "classifier")
        return {name: o.param_groups[0]["lr"] for name, o in zip(names, self.configure_optimizers(), strict=False)}

    def on_fit_start(self) -> None:
        self.trainer.should_stop = self._done()  # a run that was stopped between its last step and its end
        self._clock = time.monotonic()

    def on_train_epoch_start(self) -> None:
        self._clock = time.monotonic()  # evaluation is not training

    def training_step(self, _count: int, _index: int) -> None:
        torch.set_autocast_cache_enabled(False)  # of half-precision weights: they change within a step
        if self.lr_decay:
            self._set_learning_rates(self.lr_decay(self.step / self.steps))
        g_optimizer, d_optimizer, *c_optimizer = self.optimizers()
        rule, real = self.update, self.stream.next()
        if c_optimizer:
            self._classifier_update(*c_optimizer, real)
        fakes = self._generate(self._labels("generator", real)) if rule.fakes == "shared" else None

        if rule.order != "discriminator_first":
            self._generator_backward(g_optimizer, real, fakes)
        if rule.order == "generator_first":
            g_optimizer.step()

        updates = 0
        while True:
            loss = self._discriminator_update(d_optimizer, real, fakes)
            updates += 1
            if rule.enough(updates, loss) or self._done():
                break
            if not rule.reuse_real:
                real = self.stream.next()

        if rule.order == "discriminator_first":
            self._generator_backward(g_optimizer, real, fakes)
        if rule.order != "generator_first":
            g_optimizer.step()

        self.step += 1
        if self.ema is not None:
            self._update_average()
        if self.step % self.log_every == 0:
            self._log()
        if self._done():
            self.trainer.should_stop = True

    def _done(self) -> bool:
        return self.max_d_steps is not None and self.d_steps >= self.max_d_steps

    def _classifier_update(self, optimizer: Any, real: Batch) -> None:
        terms = self.objective.classifier(self.classifier, real.images, real.labels)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self._note("classifier", loss, terms)

    def _discriminator_update(self, optimizer: Any, real: Batch, fakes: tuple[Tensor, Tensor | None] | None) -> Tensor:
        if fakes is None:
            with torch.no_grad():
                fakes = self._generate(self._labels("discriminator", real))
        images, labels = fakes
        real_labels = real.labels if self.num_classes else None
        terms = self.objective.discriminator(self.discriminator, real.images, real_labels, images.detach(), labels)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        self.manual_backward(loss, inputs=self.discriminator_parameters)
        optimizer.step()
        if self.objective.constraint:
            self.objective.constraint(self.discriminator)
        self.d_steps += 1
        self.images_seen += len(real.images)
        self._note("discriminator", loss, terms)
        return loss.detach()

    def _generator_backward(self, optimizer: Any, real: Batch, fakes: tuple[Tensor, Tensor | None] | None) -> None:
        """The generator's gradient; `inputs` keeps it off the discriminator's weights."""
        images, labels = fakes or self._generate(self._labels("generator", real))
        real_labels = real.labels if self.num_classes else None
        terms = self.objective.generator(self.discriminator, images, labels, real.images, real_labels, self.classifier)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        self.manual_backward(loss, inputs=self.generator_parameters)
        self._note("generator", loss, terms)

    def _labels(self, network: str, real: Batch) -> Tensor | None:
        """Labels (N,) of the fakes in an update of `network`; None without classes."""
        if not self.num_classes:
            return None
        if self.update.labels[network] == "real":
            return real.labels
        return torch.randint(self.num_classes, (len(real.images),), device=self.device)

    def _generate(self, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Images (N, C, H, W) and their labels (N,) or None, a batch of them."""
        z = self.latent.sample(self.stream.batch_size, self.device)
        return self.generator(z, labels), labels

    def _set_learning_rates(self, factor: float) -> None:
        for optimizer in self.optimizers(use_pl_optimizer=False):
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self.ema_decay if self.step > self.ema_start else 0.0
        torch._foreach_lerp_(list(self.ema.parameters()), self.generator_parameters, 1 - decay)
        for average, buffer in zip(self.ema.buffers(), self.generator.buffers(), strict=True):
            average.copy_(buffer)

    def _note(self, network: str, loss: Tensor, terms: dict[str, Tensor]) -> None:
        """Keeps this update's losses on the device, to be read when they are logged."""
        if (self.step + 1) % self.log_every == 0:
            self.terms[f"loss/{network}"] = loss.detach()
            if len(terms) > 1:
                self.terms |= {f"loss/{network}/{name}": term.detach() for name, term in terms.items()}

    def _log(self) -> None:
        """Writes the losses of this step's last updates, with the three other axes. Waits for the device."""
        values = {name: term.item() for name, term in self.terms.items()}
        self.latest |= values
        self.trainer.logger.log_metrics(values | self.axes(), self.step)

    def axes(self) -> dict[str, float]:
        """What a curve can be read against beside the step: D updates, real images seen by D, seconds of training."""
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        return {"axis/d_steps": self.d_steps, "axis/images": self.images_seen, "axis/seconds": self.seconds}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        counters = ("step", "d_steps", "images_seen", "seconds")
        checkpoint["ganexp"] = {name: getattr(self, name) for name in counters} | {"update": self.update.state_dict()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = dict(checkpoint["ganexp"])
        self.update.load_state_dict(state.pop("update", {}))  # older checkpoints have none
        for name, value in state.items():
            setattr(self, name, value)
