"""Hypothesis tries the same examples every time, so that a run tells of the code and not of luck.

``FUZZ_SEED=N`` in the environment tries others, here and in the plain generators; what hypothesis finds then comes with
its own line to repeat it.
"""

from __future__ import annotations

from hypothesis import settings
from property.nasty import SEED

settings.register_profile("the same", derandomize=True)
settings.register_profile("others", print_blob=True)
settings.load_profile("others" if SEED else "the same")
