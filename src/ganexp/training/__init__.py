"""Training: the LightningModule, update rules, schedules, the averaged generator, and the trainer."""
