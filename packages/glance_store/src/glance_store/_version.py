"""The version: that of the interface, with a label of our own."""

__version__ = "5.7.0+multistore.1"
