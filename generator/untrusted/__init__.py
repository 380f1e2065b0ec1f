"""The one door for what comes from others: archives, folders, JSON, and the work on them.

Nothing else in the program opens an archive or reads foreign JSON. Here names are judged before
a byte is written, sizes are limited while reading, JSON is held against a schema, files are
written below a folder only, and what has to be rendered is rendered in a process with limits.
A module that reads a package, a request, evidence, an approval or a discovery calls this one.
"""
