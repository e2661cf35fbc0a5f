"""Music: a window of bands, given nothing or any part of itself."""
