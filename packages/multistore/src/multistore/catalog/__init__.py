"""Catalog: what is where; Repository: a Fleet whose images are recorded in a Catalog."""

from multistore.catalog.catalog import Catalog
from multistore.catalog.records import Cleaned, CopyRecord, ImageRecord, Orphan, UploadRecord
from multistore.catalog.repository import Repository

__all__ = [
    "Catalog",
    "Cleaned",
    "CopyRecord",
    "ImageRecord",
    "Orphan",
    "Repository",
    "UploadRecord",
]
