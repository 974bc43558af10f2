"""The content of requests and replies: fields, schemas, pictures, groups, reports."""
