"""Images in a Ceph cluster, as RBD images with a protected snapshot: what Nova and Cinder clone.

================  ==================================================================
``driver``        ``RbdDriver``: the verbs
``settings``      what can be set
``refs``          references, names of images and of everything else in a pool, tokens
``errors``        from the errors of librados and librbd to the tree of errors
``sdk``           finding the vendor's modules
``connections``   connections to clusters, shared by all drivers of a process
``cluster``       one of them
``pools``         one pool: its I/O context, and looks into it that cost one request
``naming``        giving an image its name, and taking it away
``images``        open images, closed within a limit
``upload``        a hidden image that becomes an image of the store
``reader``        reading, with proof that the image was still there
``removal``       deleting, and removing what is hidden
``sweep``         what unfinished uploads and deletions leave
``copying``       copies inside a cluster
``listing``       the images of a pool, and how full it is
================  ==================================================================
"""

from multistore.drivers.rbd.driver import RbdDriver
from multistore.drivers.rbd.refs import RbdRef
from multistore.drivers.rbd.sdk import Sdk
from multistore.drivers.rbd.settings import RbdSettings

__all__ = ["RbdDriver", "RbdRef", "RbdSettings", "Sdk"]
