"""Serving text: the model in memory, the speed of a replica, and how many replicas the traffic takes."""
