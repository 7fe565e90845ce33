"""What the readers of imaging technologies share: tables, cells, outlines, bundles of files."""
