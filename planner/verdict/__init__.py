"""The verdict: ranking, break-evens, the choice, and where options were lost. Facts and codes, no sentences."""
