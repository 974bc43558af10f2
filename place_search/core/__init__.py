"""The basis of all rooms: errors, files, geodesy, memory, packages."""
