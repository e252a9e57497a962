# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Large Reward Models' online study at the twin's scale: PPO on a small policy's denoising chain.

The protocol is that of Large Reward Models (arXiv 2603.16065, section on online refinement); the
update is diffusion policy policy optimisation (arXiv 2409.00588), where every denoising step is an
action. States instead of pictures, no rendering, many twins in lock-step.
"""
