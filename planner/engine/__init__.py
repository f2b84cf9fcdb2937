"""The engine that bills and portfolios are asked of: DuckDB here, Spark or Trino where the data is."""
