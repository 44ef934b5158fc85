"""The sequence laboratory: memory over long distances, order, forecasts, text."""
