"""Search for the subgroup that differs most from everyone else."""
