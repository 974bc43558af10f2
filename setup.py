"""Packages the rooms, which stand at the top of the repository, as `place_search.ROOM`.

An sdist has no links in place_search/, so that the packages are found in the rooms themselves.
"""

from setuptools import Extension, find_packages, setup

ROOMS = [
    "data",
    "evaluation",
    "indexer",
    "models",
    "photos",
    "search",
    "training",
    "web",
    "weights",
]

packages = {*find_packages(include=["place_search", "place_search.*", "place_search_client"])}
for room in ROOMS:
    packages |= {
        f"place_search.{package}" for package in find_packages(include=[room, f"{room}.*"])
    }

# Verification is more than twice as quick with it, and does without it: no compiler, no error. It
# is called by ctypes, so that Python's headers are not needed.
nearest = Extension(
    "place_search.search.matching._nearest",
    ["search/matching/nearest.c"],
    extra_compile_args=["-O3"],
    optional=True,
)

setup(
    ext_modules=[nearest],
    package_dir={f"place_search.{room}": room for room in ROOMS},
    packages=sorted(packages),
)
