"""Install the torchvision guard in every Python process whose PYTHONPATH holds this folder."""

try:
    from plumbline.compat import torchvision
except ModuleNotFoundError:
    # An interpreter of another environment, where plumbline is not installed and not needed.
    pass
else:
    torchvision.install()
