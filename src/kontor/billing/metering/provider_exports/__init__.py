"""Reading what providers say they counted."""
