"""The real images as Lightning knows them: a loader that only counts steps, and the stream's position."""

import pytorch_lightning as pl

from ganexp.data.stream import ImageStream


class StreamData(pl.LightningDataModule):
    """`stream` feeds the GAN by itself; Lightning gets a range of `period` steps an epoch and keeps the position."""

    def __init__(self, stream: ImageStream, period: int) -> None:
        super().__init__()
        self.stream, self.period = stream, period

    def train_dataloader(self) -> range:
        return range(self.period)

    def state_dict(self) -> dict[str, int]:
        return {"position": self.stream.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.stream.position = state["position"]
