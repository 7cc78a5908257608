"""Builds the extension; everything else is said in ``pyproject.toml``.

Where it cannot be compiled, and for free-threaded builds of Python, which it is not made for, the package is installed
without it and leaves the work to hashlib.
``MULTISTORE_DIGEST_REQUIRED=1`` makes that an error; ``MULTISTORE_DIGEST_SANITIZE=address,undefined`` builds it under those
sanitizers, for the tests.
"""

from __future__ import annotations

import os
import sysconfig

from setuptools import Extension, setup

REQUIRED = bool(os.environ.get("MULTISTORE_DIGEST_REQUIRED"))
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
if FREE_THREADED and REQUIRED:
    raise SystemExit(
        "multistore-digest is not for free-threaded builds of Python; multistore works without it"
    )

SANITIZE = os.environ.get("MULTISTORE_DIGEST_SANITIZE")
CHECKED = [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-g"] if SANITIZE else []

setup(
    ext_modules=[]
    if FREE_THREADED
    else [
        Extension(
            "multistore_digest._kernels",
            [
                "csrc/module.c",
                "csrc/stream.c",
                "csrc/made/sha512_avx512vl.c",
                "csrc/made/sha512_avx2.c",
                "csrc/made/sha256_sha_ni.c",
                "csrc/made/sha512_sha256_avx512vl.c",
                "csrc/made/sha512_sha256_avx2.c",
                "csrc/made/sha512_md5_avx512vl.c",
            ],
            depends=[
                "csrc/kernels.h",
                "csrc/stream.h",
                "csrc/intrinsics.h",
                "csrc/made/md5_keys.h",
                "csrc/made/sha256_keys.h",
                "csrc/made/sha512_keys.h",
            ],
            extra_compile_args=[
                "-std=c11",
                "-O2",
                "-Wall",
                "-Wextra",
                "-fvisibility=hidden",
                *CHECKED,
            ],
            extra_link_args=CHECKED,
            py_limited_api=True,
            optional=not REQUIRED,
        )
    ],
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp311"}},
)
