"""Helpers that drivers of this and of other distributions share."""
