"""What reports are made of, whatever they are about: Markdown, HTML, the file."""
