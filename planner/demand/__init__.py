"""What the work needs, whatever it runs on."""
