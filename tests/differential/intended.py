"""Where ours differs from release 5.7.0 on purpose: one entry for each kind of difference, with the defect that it avoids.

C numbers are defects of the core, F of the file driver, H of the http driver, as the tests of the facade name them.
What is "decided" is no defect of 5.7.0, but of no use to anybody either.  An entry that no scripted case needs fails a test.
"""

from __future__ import annotations

from collections.abc import Callable

from differential.judging import Intended, When
from differential.script import Outcome

__all__ = ["HAS", "INTENDED", "LOG", "less"]

HAS, LOG, DISK = frozenset({"has"}), frozenset({"log"}), frozenset({"disk"})
RETURNED = frozenset({"returned"})


def less(*fragments: str) -> When:
    """Say whether ours lacks these fragments, and differs in no other."""
    return lambda peer, ours: set(peer.get("has", ())) ^ set(ours.get("has", ())) == set(fragments)


def logged(peer: list[str], ours: list[str]) -> When:
    """Say whether the two logged on these levels."""

    def holds(theirs: Outcome, own: Outcome) -> bool:
        levels = [[record[0] for record in each.get("log", ())] for each in (theirs, own)]
        return levels == [peer, ours]

    return holds


def half(peer: Outcome, ours: Outcome) -> bool:
    """Say whether 5.7.0 counted both schemes of every store, and ours the stores."""
    return bool(peer["returned"] == 2 * ours["returned"])


def honest(peer: Outcome, ours: Outcome) -> bool:
    """Say whether the same bytes came, and ours announced as many."""
    theirs, own = peer["returned"], ours["returned"]
    return bool(theirs["data"] == own["data"] and own["size"] == own["data"]["read"])


def absent(peer: Outcome, ours: Outcome) -> bool:
    """Say whether 5.7.0 had nothing there."""
    return "raised" in peer or peer.get("returned") is None


def raised(name: str) -> Callable[[Outcome, Outcome], bool]:
    """Say whether 5.7.0 raised this."""
    return lambda peer, ours: peer.get("raised") == name


def per(verbs: str, *places: str) -> list[str]:
    """Name the steps of several verbs at places of the cases ``*-odd``."""
    names = {"get": "get-odd/get", "size": "size-odd/get_size_from_uri_and_backend", "delete": "delete-odd/delete"}  # fmt: skip
    return [f"{names[verb]} {place}" for verb in verbs.split() for place in places]


CORE = [
    Intended("C3", "one store that cannot be configured does not stop the others", ["driver-broken/create"],
             ours="returned", aspects=LOG | DISK),
    Intended("C3", "what lies behind the failed creation", ["driver-broken/two", "driver-broken/bad", "setup-mode-288/*"],
             ours="returned", aspects=LOG | DISK),
    Intended("C3", "a store with a refused setting exists, and refuses to add", ["setup-mode-288/add"], ours="StoreAddDisabled"),
    Intended("C3", "an option out of its range costs its store only", ["setup-zero-chunk/create"], ours="returned", aspects=LOG),
    Intended("C5", "a type is a driver, not a scheme: aliases work", ["driver-alias/*"], ours="returned", aspects=DISK),
    Intended("C7", "an image is read and deleted through the store that has it",
             ["wrong-store/*", *per("get size delete", "other store's")], ours="NotFound", aspects=LOG | DISK),
    Intended("C9", "an image of unknown length is an image", ["http-and-files/get without length"], ours="returned"),
    Intended("C10", "options are listed by the short name of their driver", ["options/multi"], aspects=RETURNED),
    Intended("C14", "what a refused configuration leaves behind can be deleted", ["*/delete old"], ours="returned", aspects=DISK),
    Intended("C17", "no algorithm, or a text that is none, is the old form", ["forms*/no algorithm*", "forms*/text as context"],
             ours="returned", aspects=DISK | LOG | {"verifier"}),
    Intended("C19", "a digest without a length is refused before a byte is read", ["add-algorithms/algorithm shake_*"],
             ours="UnknownHashingAlgo", aspects=DISK),
    Intended("C22", "the number of stores, not of schemes", ["*/create*"], aspects=RETURNED, when=half),
    Intended("C32", "a location that cannot be taken apart is a bad location",
             ["uri-file-odd/file://*x/a", "uri-http-odd/http://*::1/p", "no-store/get nonsense"], ours="BadStoreUri",
             when=raised("ValueError")),
    Intended("C39", "two stores on one directory are noticed", ["setup-two-in-one/create"], aspects=LOG,
             when=logged([], ["WARNING", "WARNING"])),
    Intended("C41", "a default store that cannot store is told at error level", ["default-disabled/verify"], aspects=LOG,
             when=logged([], ["ERROR"])),
    Intended("C42", "the default store is checked when it is verified", ["single-default-odd/verify"], ours="RuntimeError"),
    Intended("C43", "a location without specs has its attributes", ["specs/empty"], ours="returned"),
]  # fmt: skip

FILES = [
    Intended("F1", "explicit directories beat the default of the one directory", ["setup-only-dirs/*"], ours="returned",
             aspects=LOG | DISK),
    Intended("F5", "an id is one name of a visible file", ["add-ids/*"], ours="Invalid", aspects=LOG | DISK),
    Intended("F6", "a location has an absolute path", ["uri-*/file://a/b", "uri-file/file:// /a ", *per("get size delete", "relative")],
             ours="BadStoreUri"),
    Intended("F6", "nothing outside the data directories is served",
             per("get size delete", "outside", "missing elsewhere", "the store itself"), ours="NotFound", aspects=LOG),
    Intended("F6", "a search asks a store for what is not its own, and that is told", ["no-store/get missing", "generated/get*"], aspects=LOG,
             when=logged(["WARNING"], ["WARNING", "WARNING"])),
    Intended("F6", "a link is neither followed nor taken for an image", per("get size delete", "link", "dangling link"),
             ours="BadStoreUri", aspects=DISK),
    Intended("F6", "an image is not written through a link", ["add-twice/through a dangling link"], ours="Duplicate", aspects=DISK),
    Intended("F6", "single-store mode cannot refuse what lies elsewhere, and tells it", ["single/delete*outside"], aspects=LOG,
             when=logged([], ["WARNING"])),
    Intended("F9", "metadata given out is the caller's own", ["add-metadata-private/image2"], aspects=RETURNED),
    Intended("F10", "the longest mount point counts, at a path boundary",
             ["add-metadata-first-of-two/image", "add-metadata-boundary/image"], aspects=RETURNED | LOG),
    Intended("F13", "what the source raises is no error of the storage", ["add-sources/source OSError:ENOSPC*"], ours="OSError"),
    Intended("F13", "what the source raises is no error of the storage", ["add-sources/source OSError:EACCES*"],
             ours="PermissionError", aspects=DISK),
    Intended("F14", "why the storage refused is told the operator", ["add-no-*/*", "setup-huge/*"], aspects=LOG,
             when=logged([], ["ERROR"])),
    Intended("F16", "the size of a range is what will be yielded", ["get*/get*", "generated/get a range*"], aspects=RETURNED,
             when=honest),
    Intended("F16", "a negative range is refused", ["get*/*-1*"], ours="StoreRandomGetNotSupported"),
    Intended("F17", "what may not be read is forbidden", per("get size", "unreadable", "in a closed folder"), ours="Forbidden"),
    Intended("F17", "below a file there is nothing", per("get size", "below a file"), ours="NotFound"),
    Intended("F17", "a path that no file can have is a bad location", per("get size delete", "nul", "long"), ours="BadStoreUri"),
    Intended("F18", "a folder is no image", per("get size delete", "folder"), ours="BadStoreUri"),
    Intended("F19", "below a file there is nothing to delete", per("delete", "below a file"), ours="NotFound"),
    Intended("F28", "a file is no data directory", ["setup-file/create"], aspects=LOG, when=logged([], ["WARNING"])),
    Intended("F28", "a file is no data directory", ["setup-file/add"], ours="StoreAddDisabled", aspects=LOG),
    Intended("F28", "a file is no data directory", ["setup-file/capabilities"], ours="returned"),
    Intended("F29", "nothing is cut off a path", ["uri-file/file:///a  ", "uri-file-odd/file:///a[?#]b"], ours="returned"),
    Intended("F29", "a path has no control characters", ["uri-file-odd/file:///a\nb"], ours="BadStoreUri"),
    Intended("F30", "an id is looked for in every directory", ["dirs-work/add what the other directory has"], ours="Duplicate",
             aspects=DISK),
    Intended("F32", "a refused configuration is told once", ["*/create*"], aspects=LOG, when=logged(["ERROR", "WARNING"], ["WARNING"])),
    Intended("F33", "no text tells the path on the server", ["*"], aspects=HAS, when=less("path")),
    Intended("F35", "the directory, its URL and the priorities are there whatever is wrong",
             ["*/datadir", "*/url_prefix", "dirs-*/priority list"], ours="returned", when=absent),
    Intended("F35", "no priorities are left of a refused list", ["dirs-twice-differently/priority map"], aspects=RETURNED),
    Intended("F39", "a size of None is unknown", ["add-sizes/None"], ours="returned", aspects=DISK),
    Intended("F39", "a negative size is refused by itself", ["add-sizes/negative"], aspects=HAS, when=less("size exceeds")),
    Intended("F40", "directories are compared resolved, and a repeated one is left out",
             ["dirs-twice/priority map", "dirs-twice-by-slash/*"], ours="returned", aspects=LOG),
    Intended("decided", "no more is read of an oversized source than shows that it is", ["add-sizes/too long"],
             aspects=frozenset({"consumed"}), when=lambda peer, ours: ours["consumed"] <= peer["consumed"]),
    Intended("decided", "a verifier may see less of an image that is refused", ["add-sizes/*verified", "generated/add*"],
             ours="Invalid", aspects=frozenset({"verifier"}),
             when=lambda peer, ours: ours["verifier"]["verified"] <= peer["verifier"]["verified"]),
    Intended("F4", "the space of a declared image is reserved before its first byte", ["setup-huge/more than there is"],
             ours="StorageFull", aspects=LOG),
]  # fmt: skip

WEB = [
    Intended("H3", "the body of an error answer is not repeated", ["http-*/get /status/*", "http-and-files/get broken", "generated/web get*"],
             aspects=HAS, when=less("secret")),
    Intended("H3", "what is not found is called so", ["http*", "generated/web*"], aspects=HAS,
             when=less("not found")),
    Intended("H4", "a redirect to nowhere is a bad location", ["http-no-location/*", "http-redirects/* /redirect/300/1"],
             ours="BadStoreUri"),
    Intended("H4", "a redirect to itself is one too many", ["http-targets/* /to[?]"], ours="MaxRedirectsExceeded"),
    Intended("H5", "redirects are resolved", ["http-targets/*"], ours="returned", aspects=LOG),
    Intended("H5", "redirects are resolved", ["http-targets/* /to[?]http:///x"], ours="NotFound"),
    Intended("H5", "an unusable redirect is the server's fault, not worth a warning", ["http-targets/* /to[?]*:/*"], aspects=LOG,
             when=logged(["WARNING"], [])),
    Intended("H7", "compressed data is not the image", ["http-lengths/get /gzip"], ours="BadStoreUri"),
    Intended("H7", "the size of compressed data is not the image's", ["http-lengths/size /gzip"], ours="returned"),
    Intended("H8", "only the fragment is cut off", ["http/* /query/x;v=1[?]q=2", "uri-http-odd/http://h/p;v=1[?]q=1#f"], ours="returned"),
    Intended("H9", "an authority is checked", ["uri-http-odd/*", "http-refused/*"], ours="BadStoreUri",
             when=lambda peer, ours: peer.get("raised") in (None, "InvalidURL")),
    Intended("H10", "a location can be made of specs", ["specs/http", "specs/https in full"], ours="returned"),
    Intended("H10", "a password without a user is kept", ["uri-http-odd/http://:s3cr3t@h/p"], aspects=RETURNED),
    Intended("H12", "no cookies", ["http-cookies/second"], aspects=RETURNED),
    Intended("H13", "a length that is none", ["http-lengths/get /badlength"], ours="RemoteServiceUnavailable", aspects=LOG),
    Intended("H13", "a length that is none", ["http-lengths/size /badlength"], ours="BadStoreUri"),
    Intended("H13", "a broken connection is an exception of the interface", ["http-lengths/get /cut"], aspects=RETURNED,
             when=lambda peer, ours: ours["returned"]["data"]["failed"]["raised"] == "RemoteServiceUnavailable"),
    Intended("H18", "only 200 is a whole image", ["http/* /part", "http-statuses/* /status/20?"], ours="BadStoreUri"),
    Intended("H19", "servers without HEAD have sizes", ["http/size /nohead"], ours="returned"),
    Intended("H20", "an outage is no bad location",
             ["http-*/get /status/5*", "http-statuses/get /status/429", "http-and-files/get broken"], ours="RemoteServiceUnavailable",
             aspects=LOG),
    Intended("decided", "what is gone is not there", ["http-statuses/* /status/410"], ours="NotFound"),
    Intended("H21", "no secret is in a text", ["uri-http-odd/*", "http-refused/*"], aspects=HAS, when=less("secret")),
    Intended("H25", "ranges are served", ["http-verbs/offset", "http-verbs/length", "http-verbs/range", "http-verbs/capabilities",
                                          "http-single/get a range"], ours="returned"),
    Intended("decided", "every redirect is followed", ["http-redirects/* /redirect/30[378]/1"], ours="returned"),
]  # fmt: skip

INTENDED: list[Intended] = CORE + FILES + WEB
