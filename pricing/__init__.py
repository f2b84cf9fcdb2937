"""The knowing half: dated, sourced facts and how they are gathered."""
