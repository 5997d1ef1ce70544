"""One frozen dataclass per page: what its template needs, and nothing else."""
