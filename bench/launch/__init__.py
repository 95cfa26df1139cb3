"""Where runs execute: persistent worker processes that a crash cannot take the study with."""
