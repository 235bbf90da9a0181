"""Many small jobs inside one allocation of a scheduler: the spool that they wait in, and the pilots that take them."""
