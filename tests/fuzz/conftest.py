"""What pytest leaves alone here."""

collect_ignore = ["one.py"]  # needs atheris, which `make fuzz` alone installs
