"""What a user writes: files, tables and amounts, read with their line numbers."""
