"""Use of accelerators, its cost and what to do about it: as a record, tables, a page and a workbook."""
