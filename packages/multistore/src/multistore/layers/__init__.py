"""Wrappers of a driver, each adding one property; ``stack`` puts them together."""
