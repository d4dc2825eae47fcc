"""Networks. They know nothing about losses, data or training.

`training/gan.py` calls them as follows, with N images of C channels and side H, latents of d numbers, K classes:

- A generator maps latents z (N, d) and labels (N,) to images (N, C, H, H) in [-1, 1].
- A discriminator maps images (N, C, H, H) and labels (N,) to logits: (N,) for one logit per image, or (N, L) for a
  loss that needs L of them. A discriminator with a class head returns a pair instead: the logits and the class
  logits (N, K).
- An auxiliary classifier maps images (N, C, H, H) to class logits (N, K).

Labels are integers (int64) from 0 to K - 1. They are None if `model.conditional=false`.

A network that changes during training may have a method `set_progress(progress: float) -> None`. Before every step it
is called with the share of the run that is done, from 0 (first step) to 1 (end of the run).
"""
