"""One use case a file: what can happen to a tenant."""
