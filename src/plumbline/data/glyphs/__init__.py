"""Printed characters: fonts in, a prepared data set for pretraining out."""
