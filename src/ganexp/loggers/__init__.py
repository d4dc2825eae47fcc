"""Loggers: `logger=` chooses among them, and several can be chosen; metrics.jsonl is always written.

A logger is one of Lightning's, or any `pytorch_lightning.loggers.Logger`. Every point reaches it through
`log_metrics(values, step)`, and the hyperparameters through `log_hyperparams(settings)` when a run starts or resumes.
It may have two methods more: `log_image(key, images, step)` for pictures, and `log_result(settings, scores, step)` for
the end of the run. See `pictures.py` and `result.py`.
"""
