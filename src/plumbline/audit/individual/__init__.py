"""Individual fairness: nearest neighbours, and counterfactual attribute changes."""
