"""The Hugging Face hub as a place for files: names that begin with ``hf:``, fetching by them, sending folders there."""
