"""Callbacks, one file for each. `callbacks=` chooses some of them; training/trainer.py adds those that a run needs."""
