"""Commands: arguments in, text out; each in a file of its own, imported when it is called."""
