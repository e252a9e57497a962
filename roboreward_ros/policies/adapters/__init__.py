# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Public diffusion and flow policies behind the Policy protocol, with their noise as an input.

Each reads a checkpoint by the layout its own framework saves, safetensors only, and says by name
what does not fit. Import what you need from the modules; torch loads with them.
"""
