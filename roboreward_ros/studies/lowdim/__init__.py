# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin without pictures: a policy over states, twins in lock-step, learners in one stack.

For studies that need thousands of episodes. Layouts, physics, controller, judgement, sampler and
learner are those of the demo; only what the policy looks at and how the work is batched differ.
"""
