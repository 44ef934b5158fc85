"""New rows compared with the training data of a model: drift, groups, decisions, performance."""

# No stage computes with it: a stage that trains a model only has its training data summarised.
INFRASTRUCTURE = True
