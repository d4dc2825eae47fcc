"""Loggers: `logger=` chooses among them, and several can be chosen; metrics.jsonl is always written.

A logger is any `pytorch_lightning.loggers.Logger`. It receives every logged point through `log_metrics(values, step)`,
and the hyperparameters through `log_hyperparams(settings)` when a run starts or resumes. It may have
further methods: `log_image(key, images, step)` for pictures, `log_result(settings, scores, step)` for the final scores,
and `log_resources(values, step)` for learning rates, speed and memory. See `pictures.py`, `result.py` and
`callbacks/resources.py`. A class method `log_evaluated(evaluated)` receives the scores of `ganexp evaluate` after
the run has ended, and adds them to what the logger has stored about the run; see `evaluated.py`.
"""
