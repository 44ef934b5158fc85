"""Lightning modules: a network with its loss, optimiser and logging."""

from plumbline import torchvision_guard

# Before any module of this package imports Lightning.
torchvision_guard.install()
