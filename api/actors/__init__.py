"""Who is calling: programs by key, people by session, and how a person comes to one.

Programs show a bearer key (`keys`). People have a session in a cookie (`sessions`), which they get for a link that is
good once (`links`); there are no passwords. `actor` holds what all of them come to.
"""
