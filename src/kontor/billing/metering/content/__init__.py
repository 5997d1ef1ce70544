"""The optional content log: what a tenant's calls to models asked and answered, sealed, for its owners alone."""
