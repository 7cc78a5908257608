"""Bytes in one pass: from a source through digests into one or many uploads, and back."""
