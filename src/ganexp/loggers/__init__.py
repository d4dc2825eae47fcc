"""Loggers: `logger=` chooses among them, and several can be chosen; metrics.jsonl is always written.

A logger is any `pytorch_lightning.loggers.Logger`. It receives every logged point through `log_metrics(values, step)`,
and the hyperparameters through `log_hyperparams(settings)` when a run starts or resumes. It may have two further
methods: `log_image(key, images, step)` for pictures, and `log_result(settings, scores, step)` for the final scores. See
`pictures.py` and `result.py`. A class method `log_evaluated(evaluated)` receives the scores of `ganexp evaluate` after
the run has ended, and continues its record; see `evaluated.py`.
"""
