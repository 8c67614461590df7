"""The pure core: values in, values out.  No file, clock, git, network or FUSE."""
