"""Text data sets: files and packages in, prepared documents out."""
