# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fake xs_sdk that is spun in the background of a test."""

import threading

import xs_interfaces


class SpunSdk:
    """The fake node with its own executor thread; gone for good after ``kill``.

    Args:
        ros: the test's world.
        arguments: of FakeXsSdk.
    """

    def __init__(self, ros, **arguments) -> None:
        xs_interfaces.prepare()
        from fake_xs_sdk import FakeXsSdk
        from rclpy.executors import SingleThreadedExecutor

        self.node = FakeXsSdk(context=ros.context, **arguments)
        self.servos = self.node.servos
        self._executor = SingleThreadedExecutor(context=ros.context)
        self._executor.add_node(self.node)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="fake xs_sdk", daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ending.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def kill(self) -> None:
        """The node is gone; idempotent."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join(60.0)
        assert not self._thread.is_alive()
        self._executor.remove_node(self.node)
        self._executor.shutdown()
        self.node.destroy_node()
