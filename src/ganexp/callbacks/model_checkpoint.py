"""Lightning's checkpoints, for run folders that move."""

from typing import Any

from pytorch_lightning import callbacks


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Knows its best checkpoint again in a folder that was renamed or moved, where Lightning's would start anew."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(value: Any) -> Any:
            if isinstance(value, dict):
                return {here(key): score for key, score in value.items()}
            return value.replace(state_dict["dirpath"], self.dirpath, 1) if isinstance(value, str) else value

        super().load_state_dict({key: here(value) for key, value in state_dict.items()})
