"""
Reports: one summary per question, and renderers that only lay it out.

Whatever is worked out or worded is in the summary, so two renderers of one summary cannot disagree.
"""
