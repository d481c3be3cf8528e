"""`byleave doctor`."""
