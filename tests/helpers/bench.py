"""A GAN for tests that check single updates, without a Trainer."""

import torch

from ganexp.build import build_gan, build_image_set, build_stream
from ganexp.training.no_profiler import NoProfiler
from helpers.config import config

BASE = (
    "data=fake",
    "data.resolution=8",
    "data.channels=1",
    "data.source.size=64",
    "schedule.batch_size=8",
    "metrics=none",
)
MLP = ("model=mlp", "model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]")


class Bench:
    """A GAN that trains without Lightning's Trainer.

    The config of the GAN is `cfg`, or is composed from the overrides. `events` lists the steps of the optimizers in
    order: G for the generator, D for the discriminator, C for a third network, such as a classifier.
    """

    def __init__(self, *overrides, model=MLP, base=BASE, cfg=None, device="cpu"):
        self.cfg = config(*base, *model, *overrides) if cfg is None else cfg
        torch.manual_seed(0)
        self.gan, self.image_set = build_gan(self.cfg), build_image_set(self.cfg)
        self.move(device)

    def move(self, device):
        """Move the networks to a device, and make a new stream of images and new optimizers there."""
        gan = self.gan
        gan.connect(build_stream(self.cfg, self.image_set, torch.device(device)))
        gan.to(device)
        self.optimizers, schedulers = gan.configure_optimizers()
        gan.optimizers = lambda use_pl_optimizer=True: self.optimizers
        gan.lr_schedulers = lambda: [each["scheduler"] for each in schedulers]
        gan.manual_backward = lambda loss, **kw: loss.backward(**kw)
        gan.log_every = 10**9
        gan._end_period = lambda: None  # the original function needs a Trainer
        gan._trainer = type("Trainer", (), {"should_stop": False, "callbacks": [], "profiler": NoProfiler()})()
        self.events = []
        for name, optimizer in zip(("G", "D", "C"), self.optimizers, strict=False):
            step = optimizer.step

            def watched(name=name, step=step):
                self.events.append(name)
                step()

            watched._wrapped_by_lr_sched = True  # without this mark, LambdaLR warns that `step` was replaced

            optimizer.step = watched

    def step(self, times=1):
        """Train for `times` steps."""
        for _ in range(times):
            self.gan.make_step()

    def weights(self):
        """Return a copy of all weights."""
        return [p.detach().clone() for p in self.gan.parameters()]
