"""The verdict of a plan as something that can be run: engine command lines, manifests, infrastructure code, tasks."""
