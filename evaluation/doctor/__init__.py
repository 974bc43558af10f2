"""What would make a job fail, or its numbers worthless."""
