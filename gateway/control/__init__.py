"""Decides and publishes. Nothing here sees a request body."""
