"""The page: static files, which `halfstep serve` serves and `halfstep page` writes as a site of its own."""
