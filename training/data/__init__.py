"""The data of training: places, their photos, views of these, and hard negatives."""
