"""The page: static files, served by `halfstep serve`."""
