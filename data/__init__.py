"""The demo's lists: its photos in their archive, its places and its truth. See README.md."""
