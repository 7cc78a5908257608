"""Images as volumes of OpenStack's Cinder: one volume each, labelled, and read-only once it is published.

================  ==================================================================
``driver``        ``CinderDriver``: the verbs
``settings``      what can be set
``refs``          references, names of volumes, tokens
``labels``        what is written beside a volume, and what it says of it
``errors``        from the errors of Cinder, Keystone and os-brick to the tree of errors
``sdk``           the vendor's libraries: clients, and connectors of this host
``service``       Cinder's API, one session to a store
``holds``         who uses a volume on this host, across processes
``attaching``     attaching a volume to this host, and detaching it
``connecting``    reaching the bytes of an attached volume
``abandoned``     detaching what a killed process has left attached
``mounts``        NFS exports, mounted once for all processes
``devices``       the bytes of an attached volume: a path, or a handle without one
``upload``        a volume that becomes an image
``growth``        making a volume larger, attached or not
``reader``        reading, with one attachment to a host
``removal``       deleting, undoing, and sweeping
================  ==================================================================
"""

from multistore.drivers.cinder.driver import CinderDriver
from multistore.drivers.cinder.refs import CinderRef
from multistore.drivers.cinder.sdk import Sdk
from multistore.drivers.cinder.settings import CinderSettings

__all__ = ["CinderDriver", "CinderRef", "CinderSettings", "Sdk"]
