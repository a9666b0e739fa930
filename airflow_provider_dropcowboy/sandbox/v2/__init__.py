"""API v2 of the sandbox: routes of its own, beside those of v1 and on the same account."""
