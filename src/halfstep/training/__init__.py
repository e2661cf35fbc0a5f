"""One loop for teacher and student alike, and everything that lets it be killed and go on."""
