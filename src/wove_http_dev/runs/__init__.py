"""Running tasks: the runner, gates that hold runs, stubs that replace them, and the journal."""
