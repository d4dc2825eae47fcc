"""Narrow GANs for tests of training on a device, with each kind of network, loss and update rule."""

CHOICES = (
    *("data=fake", "data.resolution=16", "data.num_classes=4", "data.source.size=320", "data.in_memory=true"),
    *("schedule.batch_size=8", "metrics=none"),
)
NARROW = ("model.generator.width=4", "model.discriminator.width=4")
TWICE = ("loss.n_critic=2",)  # two discriminator updates in a step
RESIDUAL = (
    *("model.generator.widths=[8,8]", "model.discriminator.widths=[8,8]", "model.discriminator.halvings=2"),
    "data.resolution=8",
)
ATTENTION = ("model.generator.attention=8", "model.discriminator.attention=4")

CASES = {
    "mlp": ("model=mlp", "loss=saturating", "model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]"),
    "dcgan": ("model=dcgan", "loss=non_saturating", "data.flip=true", *NARROW),
    "probabilities": ("model=dcgan", "loss=saturating", "loss.probabilities=true", *NARROW),
    "wgan_gp_resnet": ("model=sngan", "model.discriminator.spectral_norm=none", "loss=wgan_gp", *TWICE, *RESIDUAL),
    "wgan_clipping": ("model=dcgan", "loss=wgan", "optimizer=rmsprop", *TWICE, *NARROW),
    "sngan_conditional": ("model=sngan", "model.conditional=true", "loss=hinge", *TWICE, *RESIDUAL),
    "sngan_cnn_r1": ("model=sngan_cnn", "loss=least_squares", "loss/penalty=r1", *NARROW),
    "sagan_loss_limit": ("model=sagan", "loss=hinge", "schedule/updates=loss_limit", *RESIDUAL, *ATTENTION),
    "ema_and_decay": ("model=dcgan", "loss=hinge", "schedule.ema.decay=0.9", "schedule/lr_decay=linear", *NARROW),
    "classifier": (
        *("model=dcgan", "loss=hinge", "loss/auxiliary=classifier", "model.auxiliary.classifier.width=4", *NARROW),
    ),
    "class_head": ("model=dcgan", "loss=wgan_gp", "loss/auxiliary=class_head", *TWICE, *NARROW),
    "dragan_replay": (
        *("model=dcgan_strided", "loss=non_saturating", "loss/penalty=dragan", "loss/modifier=replay", *NARROW),
    ),
    "progressive": (
        *("model=progressive", "loss=wgan_gp", "schedule/growth=progressive", "schedule.growth.images_per_stage=8"),
        *TWICE,
        *NARROW,
    ),
    "began": ("model=autoencoder", "loss=began", *NARROW),
    "r3gan_ada": (
        *("model=r3gan", "model.generator.widths=[8,8]", "model.discriminator.group_size=8", "loss=hinge"),
        *("augment=ada", "augment.ada.probability=0.5", "loss/penalty=[r1,cr,lecam]", "loss.penalties.lecam.start=1"),
    ),
    "cramer": ("model=dcgan", "loss=cramer", *TWICE, *NARROW),
    "denoiser": (
        *("loss=non_saturating", "loss/auxiliary=feature_denoising", "model.auxiliary.denoiser.layers=3", *NARROW),
    ),
}
READS_A_LOSS = ("sagan_loss_limit",)  # the update rule must read a loss, so the CPU waits for the device
NOT_RECORDED = ("progressive", "dragan_replay", "began", "r3gan_ada")  # their updates change Python objects
