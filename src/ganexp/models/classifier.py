"""The small convolutional classifier whose features and class logits score generated images."""

from torch import Tensor, nn

from ganexp.types import PositiveInt


class Classifier(nn.Module):
    """Map images (N, channels, resolution, resolution) in [-1, 1] to features (N, d) and logits (N, num_classes).

    Each block is convolution 3x3, 2x2 max pooling, batch norm, ReLU. Blocks follow each other until the side is at most
    4, then comes one without pooling. The features are the mean over the last map.

    Args:
        resolution: side of the images.
        channels: of the images.
        num_classes: of the labels.
        width: channels of the first map; each further map has twice as many.
        max_width: the most channels that a map after the first has.
    """

    def __init__(
        self,
        resolution: PositiveInt,
        channels: PositiveInt,
        num_classes: PositiveInt,
        width: PositiveInt = 32,
        max_width: PositiveInt = 256,
    ) -> None:
        super().__init__()
        layers = []
        side, inputs, outputs = resolution, channels, width
        while side > 4:
            layers += _make_block(inputs, outputs, nn.MaxPool2d(2))
            side //= 2
            inputs, outputs = outputs, min(2 * outputs, max_width)
        self.body = nn.Sequential(*layers, *_make_block(inputs, outputs), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out = nn.Linear(outputs, num_classes)
        self.feature_dim = outputs

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, d) and class logits (N, num_classes)."""
        features = self.body(images)  # (N, C, H, W) -> (N, d)
        return features, self.out(features)


def _make_block(inputs: int, outputs: int, *pooling: nn.Module) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [convolution, *pooling, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
