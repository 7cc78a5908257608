"""Put big immutable images into one or many stores in a single pass, and get them back right."""

__version__ = "0.1.0"
