"""The small convolutional classifier whose features and classes score generated images."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """images (N, channels, resolution, resolution) in [-1, 1] -> (features (N, d), logits (N, num_classes)).

    Convolution 3x3, 2x2 max pool, batch norm, ReLU, doubling in width, down to 4 pixels or less, then once more without
    the pool; the mean over the map is the feature vector.
    """

    def __init__(self, resolution: int, channels: int, num_classes: int, width: int = 32, max_width: int = 256) -> None:
        super().__init__()
        layers = []
        while resolution > 4:
            layers += _block(channels, width, nn.MaxPool2d(2))
            channels, width, resolution = width, min(2 * width, max_width), resolution // 2
        self.body = nn.Sequential(*layers, *_block(channels, width), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out = nn.Linear(width, num_classes)
        self.feature_dim = width

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)  # (N, C, H, W) -> (N, d)
        return features, self.out(features)


def _block(inputs: int, outputs: int, *pool: nn.Module) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [convolution, *pool, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
