"""The command serve: endless music over HTTP, the page, and a small API. Needs the extra `serve`."""
