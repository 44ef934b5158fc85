"""The transfer and vision laboratory: pretrained networks, convolutions, explanations."""
