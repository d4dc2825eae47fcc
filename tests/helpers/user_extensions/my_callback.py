"""A callback that writes a note to the run directory at the end of training."""

from pytorch_lightning import Callback


class Note(Callback):
    """Write a text to note.txt."""

    def __init__(self, run_directory, text: str):
        self.run_directory, self.text = run_directory, text

    def on_train_end(self, trainer, pl_module):
        (self.run_directory.path / "note.txt").write_text(self.text)
