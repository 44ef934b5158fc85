"""Claims, figures and pages of the studies, without what trains."""
