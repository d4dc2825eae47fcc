"""A small convolutional classifier, whose features and class logits are used to score generated images."""

from torch import Tensor, nn

from ganexp.types import PositiveInt, Resolution


class Classifier(nn.Module):
    """Map images (N, channels, resolution, resolution) in [-1, 1] to features (N, d) and logits (N, num_classes).

    Each block consists of a 3x3 convolution, 2x2 max pooling, batch norm and ReLU. Such blocks are repeated until
    height and width are at most 4. Then one block without pooling follows. The features are the last feature map,
    averaged over height and width.

    Args:
        resolution: height and width of the images.
        channels: number of channels of the images.
        num_classes: number of classes.
        width: number of channels of the first feature map; the number doubles with each further block.
        max_width: maximum number of channels of the feature maps after the first one.
    """

    def __init__(
        self,
        resolution: Resolution,
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
