"""What can be done about a gap before, in and after training, what it costs, what cannot be had."""
