"""Networks, which are independent of losses, data and training.

`training/gan.py` calls the networks as follows. N is the number of images, which have C channels and H x H pixels;
latents have d components, and there are K classes.

- A generator maps latents z (N, d) and labels (N,) to images (N, C, H, H) in [-1, 1].
- A discriminator maps images (N, C, H, H) and labels (N,) to logits: (N,) for one logit per image, or (N, L) for a
  loss that needs L logits. A discriminator with a class head returns a pair instead: the logits and the class
  logits (N, K). A discriminator that is an auto-encoder returns reconstruction errors (N,) instead of logits.
- An auxiliary classifier maps images (N, C, H, H) to class logits (N, K).
- A denoiser maps features (N, F) to features of the same shape.

Labels are integers (int64) from 0 to K - 1. They are None if `model.conditional=false`.

A network that changes during training may have a method `set_progress(progress: float) -> None`. This method is called
before every step with the completed share of the run: 0 before the first step, and less than 1 before the last step.

A network that grows by stages has a method `set_stage(stage: float) -> None`, see `growing.py`. The method is called
before every step with the stage that `schedule.growth` gives for the step. If `schedule.growth` is null, the method is
not called, and the network has full size. Images have the shapes above at every stage. A discriminator may have a
method `prepare_real(images)`, which reduces the detail of real images (N, C, H, H) to the current stage, and returns
them in the same shape. All losses receive the returned images.
"""
