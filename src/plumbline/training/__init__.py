"""From prepared data and parameters to a fitted network: the Trainer factory and its callbacks."""

from plumbline.compat import torchvision

# Before any module of this package imports Lightning.
torchvision.install()
