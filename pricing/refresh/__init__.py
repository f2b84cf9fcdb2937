"""A refresh: ask every source, check the answers, store what changed."""
