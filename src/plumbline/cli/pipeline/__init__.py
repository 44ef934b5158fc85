"""Commands that run the pipeline, show its results and check them."""
