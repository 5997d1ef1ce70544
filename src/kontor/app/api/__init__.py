"""The JSON API for tenants, `/api/v1`: parse, call, shape; no rule lives here."""
