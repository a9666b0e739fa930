"""API v2 of the stand-in: routes of its own, beside those of v1 and on the same account."""
