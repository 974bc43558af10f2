"""What the server shows beside the API: pages, map tiles, pictures, reports."""
