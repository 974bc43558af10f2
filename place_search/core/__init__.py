"""What every room stands on: errors, files, geodesy, memory, packages."""
