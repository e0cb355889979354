"""Files to documents to desired state, with a place in a file for every finding."""
