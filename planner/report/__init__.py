"""A plan as text, record, document or workbook: each a pure function of the view."""
