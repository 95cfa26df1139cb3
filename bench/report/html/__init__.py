"""`report.html`: one file that opens from disk, asks no network, and reads without JavaScript."""
