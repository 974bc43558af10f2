"""Backbones, by the names that model cards use."""

from collections.abc import Mapping

from place_search.models.backbones.alexnet import AlexNet
from place_search.models.backbones.base import Backbone
from place_search.models.backbones.efficientnet_lite import EfficientNetLite0
from place_search.models.backbones.resnet import ResNet18, ResNet50
from place_search.models.backbones.vgg import VGG16

__all__ = ["BACKBONES", "Backbone"]

BACKBONES: Mapping[str, type[Backbone]] = {
    "efficientnet-lite0": EfficientNetLite0,
    "vgg16": VGG16,
    "alexnet": AlexNet,
    "resnet18": ResNet18,
    "resnet50": ResNet50,
}
