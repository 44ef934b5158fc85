"""Image data sets: files and packages in, prepared images out."""
