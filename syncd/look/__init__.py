"""How all pages look: the style that they share, and how templates and the files beside a page are read."""
