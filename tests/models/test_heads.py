"""The heads of discriminators."""

import pytest
import torch
from torch import nn

from ganexp.models.heads import ClassHead, OneHotLinear, ProjectionHead, make_head

FEATURES, LABELS = torch.randn(2, 4), torch.tensor([2, 0])


def test_projection_head_formula():
    head = make_head("projection", 4, num_classes=3, logits=1)
    logits = FEATURES @ head.linear.weight[0] + head.linear.bias[0]
    label_term = (head.embedding.weight[LABELS] * FEATURES).sum(1)
    assert torch.allclose(head(FEATURES, LABELS), logits + label_term)


def test_one_hot_linear_is_linear_of_one_hot_labels():
    layer = OneHotLinear(3, 4)
    one_hot = nn.functional.one_hot(LABELS, 3).float()
    assert torch.equal(layer(LABELS), nn.functional.linear(one_hot, layer.weight))
    assert layer.weight.shape == (4, 3)


def test_projection_head_takes_either_embedding():
    linear, one_hot, embedding = nn.Linear(4, 1), OneHotLinear(3, 4), nn.Embedding(3, 4)
    with torch.no_grad():
        embedding.weight.copy_(one_hot.weight.T)
    outputs = [ProjectionHead(linear, layer)(FEATURES, LABELS) for layer in (one_hot, embedding)]
    assert torch.equal(*outputs)


@pytest.mark.parametrize(("kind", "classes"), [("projection", 0), ("none", 3)])
def test_head_without_labels_is_linear(kind, classes):
    head = make_head(kind, 4, classes, logits=2)
    assert head.embedding is None
    assert torch.equal(head(FEATURES, LABELS), head.linear(FEATURES))


def test_projection_head_refuses_several_logits():
    with pytest.raises(ValueError, match=r"logits=2: a projection head gives one logit; use model.conditional=false"):
        make_head("projection", 4, num_classes=3, logits=2)


def test_class_head_returns_logits_and_class_logits():
    head = make_head("classes", 4, num_classes=3, logits=1)
    logits, class_logits = head(FEATURES, LABELS)
    assert torch.equal(logits, head.linear(FEATURES).squeeze(1))
    assert torch.equal(class_logits, head.classes(FEATURES))
    assert class_logits.shape == (2, 3)


def test_class_head_refuses_no_classes():
    with pytest.raises(ValueError, match=r"head=classes .* model.conditional=true"):
        ClassHead(4, 0)
