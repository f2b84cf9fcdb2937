"""Workloads from what a user already has: command lines, manifests, infrastructure code, batch scripts, training configurations."""
