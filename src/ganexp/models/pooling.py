"""A convolution that is followed by average pooling, computed in one operation."""

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d


class PooledConv2d(nn.Conv2d):
    """Apply a convolution with an odd kernel k x k, then average pooling of 2x2 pixels.

    A mean of 2x2 outputs of the convolution is a sum over (k+1)x(k+1) pixels of the input. Both operations together are
    therefore a convolution of stride 2, whose kernel is the mean of four shifted copies of the weight. For k = 3, this
    takes 4/9 of the multiplications, and no feature map of full size is stored.

    Use it in discriminators, in place of a convolution and average pooling.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: height and width k of the kernel.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return a feature map (N, outputs, s/2, s/2) for x (N, inputs, s, s)."""
        kernel = avg_pool2d(self.weight, 2, stride=1, padding=1)  # (outputs, inputs, k, k) -> (…, k+1, k+1)
        return conv2d(x, kernel, self.bias, stride=2, padding=self.padding)
