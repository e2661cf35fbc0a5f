"""What `halfstep evaluate` does: music from everywhere it is to be compared, judged alike, on one page."""
