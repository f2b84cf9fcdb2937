"""Clouds of our own on this machine, so that the real client code can be driven without a network."""
