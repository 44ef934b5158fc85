"""Quality of predictions: classification, calibration, regression, language."""
