"""Throughput: images and embeddings, independent pieces of work without communication between accelerators."""
