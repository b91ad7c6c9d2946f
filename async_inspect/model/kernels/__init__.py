"""The meaning of records, written once, for whole recordings (``building/``) and for growing ones (``live/``).  Pure
functions of columns; what is known from earlier chunks is an argument."""
