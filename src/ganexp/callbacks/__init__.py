"""Callbacks, one per file. `callbacks=` chooses some of them; training/trainer.py adds the required ones."""
