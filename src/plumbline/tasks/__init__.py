"""Lightning modules: a network with its loss, optimiser and logging."""

from plumbline.compat import torchvision

# Before any module of this package imports Lightning.
torchvision.install()
