"""One cog a feature: each owns its commands and listeners, and undoes itself on unload."""
