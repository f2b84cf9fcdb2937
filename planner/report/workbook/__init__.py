"""The plan as a workbook: a module for each sheet or group of sheets."""
