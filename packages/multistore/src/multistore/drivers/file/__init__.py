"""Images as files in one or several directories of this machine.

================  ==================================================================
``driver``        ``FileDriver``: the verbs
``settings``      what can be set
``refs``          references, and the names of images and of everything else in a directory
``errors``        from ``OSError`` to the tree of errors
``directories``   the directories: known again, marked, chosen
``upload``        a temporary file that becomes an image
``publish``       giving it its name without replacing anything
``sweep``         what unfinished uploads leave
``reader``        reading
``syscalls``      system calls that Python has no function for
================  ==================================================================
"""

from multistore.drivers.file.driver import FileDriver
from multistore.drivers.file.refs import FileRef
from multistore.drivers.file.settings import FileSettings

__all__ = ["FileDriver", "FileRef", "FileSettings"]
