"""Arrays in, values out: every quantity that plumbline reports, with its interval."""
