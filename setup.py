# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`pip install .` of the Python half, for use without ROS (training, evaluation, reward scoring).

A ROS workspace builds the package with colcon (package.xml, CMakeLists.txt) and never runs this.
"""

from pathlib import Path

from setuptools import find_packages, setup


def requirements(name: str) -> list[str]:
    """Requirements of one file below requirements/."""
    lines = Path(__file__).with_name("requirements").joinpath(name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def config_files() -> list[tuple[str, list[str]]]:
    """``config/`` below the prefix's share, where the package looks for it outside a checkout."""
    here = Path(__file__).parent
    found: dict[str, list[str]] = {}
    for path in sorted(here.joinpath("config").rglob("*.*")):
        name = path.relative_to(here)
        found.setdefault(f"share/roboreward_ros/{name.parent}", []).append(str(name))
    return list(found.items())


setup(
    name="roboreward_ros",
    version="0.1.0",
    description="Online fine-tuning of robot diffusion policies with vision-language rewards",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["roboreward_ros", "roboreward_ros.*"]),
    package_data={"roboreward_ros": ["py.typed", "assets/**/*", "console/static/*"]},
    data_files=config_files(),
    install_requires=requirements("runtime.txt"),
    extras_require={
        "dev": requirements("dev.txt"),
        "rerun": ["rerun-sdk>=0.24"],
        "bags": ["rosbags>=0.11"],
    },
    entry_points={"console_scripts": ["roboreward = roboreward_ros.cli.main:main"]},
)
