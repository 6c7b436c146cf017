"""Sluice: an OpenAI-compatible gateway that divides traffic by user."""

__version__ = "0.1.0"
