"""The studio: a web page on this computer that makes, shows and keeps stimuli.

It runs the same commands as the command line, in processes of their own, and shows their folders.
"""
