"""What to train on: places, their photos, views of them, and hard negatives."""
