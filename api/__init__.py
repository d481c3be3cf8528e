"""The faces: HTTP, pages, command line, jobs. They call use cases and query nothing themselves."""
