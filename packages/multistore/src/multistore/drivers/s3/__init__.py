"""Images in a bucket, on any server that speaks the S3 interface.

================  ==================================================================
``driver``        ``S3Driver``: the verbs
``settings``      what can be set
``endpoint``      where the server is
``refs``          references, names of images, tokens of uploads
``client``        the vendor's client, made at first use, one for each process
``errors``        from the errors of servers and of botocore to the tree of errors
``objects``       one bucket: looking at objects, and what goes with every request
``body``          the bytes of a part, as botocore takes them without a copy
``signing``       the signature of a part whose digest is known
``single``        an image that is sent in one request
``multipart``     an image that is sent in parts
``reader``        reading, in ranges, of one version
``sweep``         what unfinished uploads leave
``copying``       copies that the server makes
``checking``      trying out everything that an upload needs
================  ==================================================================
"""

from multistore.drivers.s3.driver import S3Driver
from multistore.drivers.s3.refs import S3Ref
from multistore.drivers.s3.settings import S3Settings

__all__ = ["S3Driver", "S3Ref", "S3Settings"]
