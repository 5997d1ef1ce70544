"""Taking all data along, and erasing it with proof."""
