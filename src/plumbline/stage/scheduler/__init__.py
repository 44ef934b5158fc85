"""Stages of one ``dvc repro`` side by side, in one DVC process.

The commands run side by side and DVC's own work is done in turns, so that plan, run cache,
parameters, frozen stages and lock entries stay DVC's.
"""
