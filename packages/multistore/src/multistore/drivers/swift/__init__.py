"""Images in OpenStack Swift, and in Ceph's gateway by the same interface.

==============  ==================================================================
``driver``      ``SwiftDriver``: the verbs
``settings``    what can be set, and who logs in
``refs``        references, names of images and segments, tokens
``naming``      which container an image is in
``places``      which references are a store's, and what its new ones look like
``errors``      from statuses and exceptions to the tree of errors
``sdk``         finding the libraries
``references``  the file with further accounts
``identity``    logging in
``accounts``    which account a reference is in
``trusts``      going on after a caller's token has ended
``transfer``    telling an identity of transfers that may outlive a token
``wire``        requests to an account
``container``   requests to a container
``single``      an image that is one object
``upload``      an image in segments
``manifests``   what joins them
``reader``      reading
``removal``     deleting
``sweep``       what unfinished uploads and deletions leave
``copying``     copies inside an account
==============  ==================================================================
"""

from multistore.drivers.swift.driver import SwiftDriver
from multistore.drivers.swift.refs import SwiftRef
from multistore.drivers.swift.settings import SwiftSettings

__all__ = ["SwiftDriver", "SwiftRef", "SwiftSettings"]
