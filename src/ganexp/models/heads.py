"""The last layers of a discriminator, which map features (N, F) and labels (N,) to logits."""

from typing import Literal

from torch import Tensor, nn

HeadKind = Literal["projection", "classes", "none"]


def make_head(kind: HeadKind, features: int, num_classes: int, logits: int) -> nn.Module:
    """Return a discriminator's head; its layers have no spectral norm.

    Args:
        kind: `projection` adds a projection of the label to the logit, `classes` also returns class logits, `none`
            ignores labels.
        features: number of input features F of the head.
        num_classes: number of classes; 0 for an unconditional discriminator.
        logits: number of outputs per image.

    Raises:
        ValueError: `kind` is `classes` and there are no classes, or `kind` is `projection` and there are both classes
            and several logits.
    """
    if kind == "classes":
        return ClassHead(features, num_classes, logits)
    linear = nn.Linear(features, logits)
    if kind == "none" or not num_classes:
        return ProjectionHead(linear)
    return ProjectionHead(linear, nn.Embedding(num_classes, features))


class ProjectionHead(nn.Module):
    """Compute linear(h), plus the inner product <embedding(label), h> for a conditional discriminator.

    The layers are arguments, so that a network can apply spectral norm to them. Source: Miyato and Koyama 2018.

    Use it when a discriminator gets labels; no additional loss is needed.

    Args:
        linear: layer that maps features (N, F) to logits (N, L).
        embedding: `nn.Embedding` or `OneHotLinear` that maps labels (N,) to (N, F); None ignores labels.

    Raises:
        ValueError: there are an embedding and more than one logit.
    """

    def __init__(self, linear: nn.Linear, embedding: nn.Module | None = None) -> None:
        super().__init__()
        if embedding is not None and linear.out_features != 1:
            raise ValueError(
                f"logits={linear.out_features}: a projection head gives one logit; "
                "use model.conditional=false, or a loss that needs one logit"
            )
        self.linear = linear
        self.embedding = embedding

    def forward(self, h: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N,) or (N, L) for features h (N, F); labels (N,) are None if there are no classes."""
        logits = squeeze_logit(self.linear(h))
        if self.embedding is None:
            return logits
        return logits + (self.embedding(labels) * h).sum(1)  # (N, F) -> (N,)


class OneHotLinear(nn.Linear):
    """Apply a linear layer without bias to one-hot labels.

    The layer computes the same outputs as `nn.Embedding`, but its weight has the shape (features, num_classes), as in a
    linear layer. Spectral norm and initialisation expect this shape.

    Use it when an embedding of labels needs spectral norm.
    """

    def __init__(self, num_classes: int, features: int) -> None:
        super().__init__(num_classes, features, bias=False)

    def forward(self, labels: Tensor) -> Tensor:
        """Return the column of the weight for each of the labels (N,), as (N, features)."""
        return self.weight.T[labels]


class ClassHead(nn.Module):
    """Compute two linear functions of the same features: logits and class logits.

    Source: Odena et al. 2017. Use it with loss/auxiliary=class_head.

    Raises:
        ValueError: there are no classes.
    """

    def __init__(self, features: int, num_classes: int, logits: int = 1) -> None:
        super().__init__()
        if not num_classes:
            raise ValueError("head=classes needs classes: set model.conditional=true")
        self.linear = nn.Linear(features, logits)
        self.classes = nn.Linear(features, num_classes)

    def forward(self, h: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits (N,) or (N, L) and class logits (N, num_classes) for features h (N, F); labels are not used."""
        return squeeze_logit(self.linear(h)), self.classes(h)


def squeeze_logit(logits: Tensor) -> Tensor:
    """Return logits (N, 1) as (N,); return logits (N, L) with L > 1 unchanged."""
    return logits.squeeze(1) if logits.shape[1] == 1 else logits
