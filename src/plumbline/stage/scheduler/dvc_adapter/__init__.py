"""What stages side by side need of DVC: its loop, its locks, its messages and its lock file."""
