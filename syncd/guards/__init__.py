"""What is looked for in a content before it leaves the machine, and what is taken out of it for students."""
