"""A small shop with pictures: the app that the end-to-end tests run under imagecached."""
