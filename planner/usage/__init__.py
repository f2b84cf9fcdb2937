"""What was really used: bills and cluster records as accelerator-hours, by hour."""
