"""What people touch: the command line, one folder a group of commands."""
