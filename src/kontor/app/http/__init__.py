"""The HTTP edge: who calls, what a refusal looks like, what every request gets."""
