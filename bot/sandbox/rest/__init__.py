"""The HTTP API under /api/v10: one module a resource, each adding its routes to one table."""
