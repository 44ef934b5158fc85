"""From prepared data and parameters to a fitted network: the Trainer factory and its callbacks."""

from plumbline import torchvision_guard

# Before any module of this package imports Lightning.
torchvision_guard.install()
