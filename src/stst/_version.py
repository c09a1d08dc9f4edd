"""The version of the package: no other file holds it."""

__version__ = "0.1.0"
