# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m roboreward_ros`` is the ``roboreward`` command."""

import sys

from roboreward_ros.cli.main import main

sys.exit(main())
