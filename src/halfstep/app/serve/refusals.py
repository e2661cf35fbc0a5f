"""What is said to whoever asks for what cannot be had."""

BAD_REQUEST, NOT_FOUND, CONFLICT, TOO_MANY, UNAVAILABLE = 400, 404, 409, 429, 503


class Refusal(Exception):
    """An answer with an error status (400 to 599) and one line; `retry_seconds` where a later try may succeed."""

    def __init__(self, status: int, text: str, retry_seconds: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_seconds = status, text, retry_seconds

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
