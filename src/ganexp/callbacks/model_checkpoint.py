"""Lightning's checkpoints, for run directories that move."""

from typing import Any

from pytorch_lightning import callbacks


class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Keep the best checkpoint of a run whose directory was moved, where Lightning's class would forget it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state with every path in the old directory replaced by the path in the new one."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {moved(key): score for key, score in value.items()}
            return value.replace(state_dict["dirpath"], self.dirpath, 1) if isinstance(value, str) else value

        super().load_state_dict({key: moved(value) for key, value in state_dict.items()})
