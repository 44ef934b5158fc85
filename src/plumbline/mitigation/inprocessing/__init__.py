"""In-processing: training objectives that use the groups."""
