"""Second opinion: what NVIDIA's aiconfigurator, where it is installed, says of the same model on the same accelerators.

It is asked in a process of its own with a time limit, off the network, and never changes an answer: it is shown beside ours.
"""
