"""The forms in which providers of models are asked and answer: one file each, pure."""
